"""A local Salesforce over HTTPS: what syncd calls of the real one, and how that behaves and misbehaves.

    org = Org()
    with Sandbox(org, directory=path) as sandbox:
        sandbox.url, sandbox.ca_bundle, sandbox.private_key, …

It knows nothing of syncd, which reaches it exactly as it reaches Salesforce.
"""

from syncd.sandbox.catalogue import KINDS, listed, parse
from syncd.sandbox.faults import Fault
from syncd.sandbox.org import Org
from syncd.sandbox.seed import seed
from syncd.sandbox.server import Sandbox
from syncd.sandbox.serving import serve
from syncd.sandbox.traffic import Call

__all__ = ["KINDS", "Call", "Fault", "Org", "Sandbox", "listed", "parse", "seed", "serve"]
