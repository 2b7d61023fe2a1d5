from edgepatho.cli import main

main()
