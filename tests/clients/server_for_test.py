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


def free_port():
    # Below the ports that the kernel hands out, so that no client of this run sits on it.
    while True:
        port = random.randrange(10_000, 30_000)
        with socket.socket() as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                s.bind(("127.0.0.1", port))
                return port
            except OSError:
                pass


class Server:
    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="troupe-test-")
        self.port, self.tls_port = free_port(), free_port()
        self.config = os.path.join(self.folder, "troupe.conf")
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30",
             "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost",
             "-keyout", os.path.join(self.folder, "key.pem"), "-out", os.path.join(self.folder, "cert.pem")],
            check=True, capture_output=True)
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

    def add_user(self, jid, password):
        subprocess.run([binary(), "user", "--config", self.config, "add", jid], input=password + "\n", text=True,
                       check=True, capture_output=True)

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
