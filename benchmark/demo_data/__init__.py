"""The embedded demo data: drawn once from open emoji art, written in the formats of the real data sets.

Pre-training scenes are drawn with Twemoji, every transfer task with OpenMoji, so a backbone is judged on
pictures it has never seen, of things it has read about.
"""

from benchmark.demo_data.prepare import prepare
from benchmark.demo_data.spec import DemoSpec

__all__ = ["DemoSpec", "prepare"]
