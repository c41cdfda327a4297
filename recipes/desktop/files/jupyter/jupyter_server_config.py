# JupyterLab as phoenix-jupyter.service runs it. What ~/.jupyter/jupyter_server_config.py says wins.
import os

c.ServerApp.ip = "0.0.0.0"  # the host's firewall lets only the host reach it
c.ServerApp.port = 8888
c.ServerApp.port_retries = 0
c.ServerApp.open_browser = False
c.ServerApp.root_dir = os.path.expanduser("~")
# The token comes by JUPYTER_TOKEN_FILE.
c.LabApp.extension_manager = "readonly"  # the venv belongs to the image
