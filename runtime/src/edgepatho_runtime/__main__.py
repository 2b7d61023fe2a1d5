import sys

from edgepatho_runtime.cli import main

sys.exit(main())
