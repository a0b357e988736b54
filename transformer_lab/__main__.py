from .cli import app

app(prog_name="transformer-lab")
