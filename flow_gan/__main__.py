"""The command line: python -m flow_gan is python -m flow_gan.main."""

import sys

from flow_gan.main import main

if __name__ == "__main__":
    sys.exit(main())
