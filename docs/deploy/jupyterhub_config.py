"""JupyterHub for a class on one Linux machine: the system's accounts, one shared environment, limits for everybody.

README.md beside this file says where it goes, and how the hub is started.
"""

c = get_config()  # noqa: F821  # JupyterHub defines it

ENVIRONMENT = "/opt/transformer-lab/.venv"  # the course as everybody uses it, and nobody but root can change it
MEMORY = 4 * 2**30  # bytes of data in one process, such as a kernel
FILE = 2 * 2**30  # bytes of the largest file that one may write
PROCESSES = 512  # of one person, with all threads

# Whoever has an account with a password on this machine may log in. (PAM is JupyterHub's own default.)
c.Authenticator.allow_all = True

# Only this machine reaches the hub; a web server in front of it brings TLS.
c.JupyterHub.bind_url = "http://127.0.0.1:8000"
c.JupyterHub.db_url = "sqlite:////srv/jupyterhub/jupyterhub.sqlite"
c.JupyterHub.cookie_secret_file = "/srv/jupyterhub/cookie_secret"
c.JupyterHub.concurrent_spawn_limit = 20  # a whole class logs in within a minute

# Each person has a JupyterLab of their own, which runs as that person, in their home folder, under these limits.
c.JupyterHub.spawner_class = "localprocess"
c.Spawner.cmd = ["prlimit", f"--data={MEMORY}", f"--fsize={FILE}", f"--nproc={PROCESSES}", "--core=0",
                 f"{ENVIRONMENT}/bin/jupyterhub-singleuser"]  # fmt: skip
c.Spawner.notebook_dir = "~"
c.Spawner.default_url = "/lab"
c.Spawner.start_timeout = 180  # seconds, for the minute in which everybody comes
c.Spawner.environment = {
    "PATH": f"{ENVIRONMENT}/bin:/usr/local/bin:/usr/bin:/bin",
    "OMP_NUM_THREADS": "2",
    "OMP_WAIT_POLICY": "passive",
}
# What nobody uses is ended: a kernel after half an hour, a whole JupyterLab after two hours. Files stay.
c.Spawner.args = ["--MappingKernelManager.cull_idle_timeout=1800", "--ServerApp.shutdown_no_activity_timeout=7200"]
