"""Watch a training run: a tracker that any loop can feed, the file it keeps, and what can be read off both."""

from shld_sim.tracking.log import Log
from shld_sim.tracking.reader import Reader, read_log
from shld_sim.tracking.tracker import Tracker

__all__ = ["Log", "Reader", "Tracker", "read_log"]
