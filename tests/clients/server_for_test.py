"""A Troupe of its own for a test script: a temporary folder, free ports on loopback, open registration there."""
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time


def binary():
    """TROUPE_BIN, or the one in the build folder that tests/run names."""
    if "TROUPE_BIN" in os.environ:
        return os.environ["TROUPE_BIN"]
    return os.path.join(os.environ.get("TROUPE_BUILD", "build"), "troupe")


def free_port(*others):
    """`others`: what is added to it for ports that are free, too."""
    # Below the ports that the kernel hands out, so that no client of this run sits on it.
    while True:
        port = random.randrange(10_000, 30_000)
        try:
            for one in (port, *(port + x for x in others)):
                with socket.socket() as s:
                    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                    s.bind(("127.0.0.1", one))
            return port
        except OSError:
            pass


def openssl(*words):
    subprocess.run(["openssl", *words], check=True, capture_output=True)


class Server:
    """Its hosts: `localhost`, which trusts an authority of its own for EXTERNAL, and `masked.lit` for ANONYMOUS."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="troupe-test-")
        self.port, self.tls_port = free_port(), free_port()
        self.config = os.path.join(self.folder, "troupe.conf")
        openssl("req", "-x509", *self.new_key("key"), "-days", "30", "-subj", "/CN=localhost",
                "-addext", "subjectAltName=DNS:localhost,DNS:masked.lit", "-out", self.file("cert.pem"))
        openssl("req", "-x509", *self.new_key("authority"), "-days", "30", "-subj", "/CN=authority",
                "-out", self.file("authority.crt"))
        with open(self.config, "w") as out:
            out.write(f"""[server]
data_folder = "data"
[listen]
c2s = ["127.0.0.1:{self.port}"]
c2s_tls = ["127.0.0.1:{self.tls_port}"]
[sign_in]
registrations_per_address_per_hour = 0
[log]
format = "text"
[hosts.main]
name = "localhost"
certificate_files = ["cert.pem"]
key_files = ["key.pem"]
registration = "loopback"
abuse_addresses = ["mailto:abuse@localhost"]
client_ca_file = "authority.crt"
[hosts.masked]
name = "masked.lit"
certificate_files = ["cert.pem"]
key_files = ["key.pem"]
anonymous = true
""")
        self.log = open(os.path.join(self.folder, "log"), "w")
        self.process = subprocess.Popen([binary(), "serve", "--config", self.config], stdout=self.log, stderr=self.log)
        deadline = time.monotonic() + 30
        for port in (self.port, self.tls_port):
            while True:
                try:
                    socket.create_connection(("127.0.0.1", port), 1).close()
                    break
                except OSError:
                    if self.process.poll() is not None or time.monotonic() > deadline:
                        sys.exit("the server did not start:\n" + open(self.log.name).read())
                    time.sleep(0.01)

    def file(self, name):
        return os.path.join(self.folder, name)

    def new_key(self, name):
        return ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", self.file(name + ".pem")]

    def client_certificate(self, jid):
        """Paths of a certificate that EXTERNAL accepts for that account (XEP-0178), and of its key."""
        with open(self.file("client.ext"), "w") as out:
            out.write(f"subjectAltName=otherName:1.3.6.1.5.5.7.8.5;UTF8:{jid}\n")
        openssl("req", *self.new_key("client"), "-subj", "/CN=client", "-out", self.file("client.csr"))
        openssl("x509", "-req", "-in", self.file("client.csr"), "-CA", self.file("authority.crt"),
                "-CAkey", self.file("authority.pem"), "-CAcreateserial", "-days", "30",
                "-extfile", self.file("client.ext"), "-out", self.file("client.crt"))
        return self.file("client.crt"), self.file("client.pem")

    def add_user(self, jid, password):
        subprocess.run([binary(), "user", "--config", self.config, "add", jid], input=password + "\n", text=True,
                       check=True, capture_output=True)

    def shell(self, command, check=True):
        """What it says; without `check` also when it fails."""
        return subprocess.run([binary(), "shell", "--config", self.config, "-c", command], text=True, check=check,
                              capture_output=True, timeout=30).stdout

    def stop(self):
        """SIGTERM; the exit code. Once more does nothing."""
        if self.process.returncode is not None:
            return self.process.returncode
        self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            code = self.process.wait()
        self.log.close()
        if code != 0:
            sys.stderr.write(open(self.log.name).read()[-4_000:])
        shutil.rmtree(self.folder, ignore_errors=True)
        return code

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


if __name__ == "__main__":
    # For shell scripts: prints `PORT TLS_PORT FOLDER CONFIG`, then runs until its input ends.
    with Server() as server:
        print(server.port, server.tls_port, server.folder, server.config, flush=True)
        sys.stdin.read()
