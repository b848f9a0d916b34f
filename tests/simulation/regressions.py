"""Walks that once found a fault in the product, as the simulator shortened them, by what they found."""

from typing import Final

REGRESSIONS: Final[dict[str, bytes]] = {
    # Met at a point below our chain, it had overtaken us when it first answered: its rollback to where we met looked
    # like a fork, and here like one deeper than k, which ended the follower.
    "a node behind ours catches up between the intersection and its first answer": (
        b'{"settings":{"k":5,"partitions":5,"nodes":2,"batch":1,"mix":{"ours":30,"foreign":60},"audited_steps":500},'
        b'"actions":[["grow",2,6,0,false],["down",0,0,0,false],["grow",1,1,0,true],["fork",2,1,1,false],'
        b'["fork",2,3,2,false],["fork",2,1,1,false],["lag",1,9,0,true],["grow",0,12,0,false],["grow",2,8,0,true]]}'
    ),
    # The checkpoint took over the last record's sequence number, new or not: the next one looked like one after a gap.
    "a reader's batch ends on records that were repeated": (
        b'{"settings":{"k":12,"partitions":2,"nodes":3,"batch":50,"mix":{"ours":3,"foreign":49},"audited_steps":500},'
        b'"actions":[["grow",0,30,0,false],["fork",3,2,0,false],["reassign",0,1,0,false],["grow",2,10,0,false],'
        b'["copy",1,4,0,false],["project",0,100000,2,true]]}'
    ),
    # `verify` looked at what follows the last step only for steps that the spine does not have.
    "records are repeated after the last step": (
        b'{"settings":{"k":40,"partitions":3,"nodes":3,"batch":50,"mix":{"ours":30,"foreign":60},"audited_steps":500},'
        b'"actions":[["grow",3,1,0,true],["silence",2,0,0,true],["grow",3,3,0,true],["grow",3,2,0,false],'
        b'["grow",0,12,0,false],["copy",1,5,0,true]]}'
    ),
    # The repair looked only at the first records after the place where a step begins: a step behind records that were
    # doubled was taken for torn, and written again.
    "records are repeated before a whole step when a follower starts": (
        b'{"settings":{"k":12,"partitions":1,"nodes":3,"batch":7,"mix":{"ours":30,"foreign":60},"audited_steps":500},'
        b'"actions":[["grow",0,10,0,false],["fork",3,2,5,true],["pause",20,20,0,true],["grow",0,7,0,true],'
        b'["fork",3,1,0,true],["copy",0,3,0,false],["fork",2,1,2,false],["grow",3,11,0,false]]}'
    ),
    # The worker that had lost the partition folded its batch onto what the other had projected, and called the log
    # damaged. (The store itself is held to it by tests/projections/test_faults.py.)
    "a partition is taken and projected while its batch is under way": (
        b'{"settings":{"k":40,"partitions":3,"nodes":3,"batch":50,"mix":{"ours":30,"foreign":60},"audited_steps":500},'
        b'"actions":[["grow",3,11,0,false],["project",0,100000,9,true]]}'
    ),
}
