# SPDX-License-Identifier: BSD-3-Clause
"""Certificates for tests, made by openssl(1): an authority, and what it signs.

    pki = Pki(folder)
    cert = pki.make('server', 'DNS:localhost,IP:127.0.0.1')
    cert.cert, cert.key, pki.ca
"""
import shutil
import subprocess

import pytest

if shutil.which('openssl') is None:
    pytest.skip('needs openssl', allow_module_level=True)

CONFIG = '''[ca]
default_ca = here
[here]
dir = %(dir)s
database = %(dir)s/index
serial = %(dir)s/serial
new_certs_dir = %(dir)s
default_md = sha256
policy = any
copy_extensions = copy
unique_subject = no
email_in_dn = no
[any]
commonName = supplied
'''


def openssl(*args):
    r = subprocess.run(['openssl', *map(str, args)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert r.returncode == 0, r.stdout


class Certificate:
    def __init__(self, cert, key):
        self.cert, self.key = cert, key


class Pki:
    """An authority in FOLDER; its certificate is CA."""

    def __init__(self, folder):
        folder.mkdir(parents=True)
        self.folder, self.ca, self.ca_key = folder, folder / 'ca.pem', folder / 'ca.key'
        (folder / 'index').touch()
        (folder / 'serial').write_text('01\n')
        self.config = folder / 'ca.cnf'
        self.config.write_text(CONFIG % {'dir': folder})
        openssl('req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', 30,
                '-keyout', self.ca_key, '-out', self.ca, '-subj', '/CN=test authority ' + folder.name)

    def make(self, name, alt='DNS:localhost,IP:127.0.0.1', expired=False):
        c = Certificate(self.folder / (name + '.pem'), self.folder / (name + '.key'))
        request = self.folder / (name + '.csr')
        openssl('req', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', c.key,
                '-out', request, '-subj', '/CN=' + name, '-addext', 'subjectAltName=' + alt)
        when = ['-startdate', '20200101000000Z', '-enddate', '20210101000000Z'] if expired else ['-days', 30]
        openssl('ca', '-batch', '-notext', '-config', self.config, '-cert', self.ca, '-keyfile', self.ca_key,
                '-in', request, '-out', c.cert, *when)
        return c
