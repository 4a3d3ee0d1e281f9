"""What comes back: the provider's calls are stored before they are answered, and read afterwards.

`door` checks what calls our hook (the hot path of the API), `ear` stores what is told, there or over a
provider's own connection, `batcher` shares commits; `receiver` is the loop of each worker that reads the
inbox, `reading` makes events of bodies, `heeding` is what words about consent do, `choosing` what times
that sequences take do, `ending` what replies to alerts do, `answering` owes people what confirms either,
and `consequences` is what else follows beyond messages. `poller` asks providers that call nobody.
"""

from clarion.flow.receive.door import Door
from clarion.flow.receive.ear import Ear
from clarion.flow.receive.receiver import Drained, Receiver

__all__ = ["Door", "Drained", "Ear", "Receiver"]
