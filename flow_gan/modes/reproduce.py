"""--mode=reproduce: the whole paper."""

from flow_gan.config import Config
from flow_gan.reproduction.reproduce import reproduce


def run(given: dict) -> None:
    """Reproduce the paper as the command line says, and say where the report is."""
    print(f"report               {reproduce(Config(**given), given)}")
