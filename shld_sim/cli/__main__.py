"""python -m shld_sim.cli, the same as shld-sim."""

from shld_sim.cli import main

raise SystemExit(main())
