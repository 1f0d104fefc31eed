import type { Watchable } from '../../base/signal.ts'
import type { Findings, LevelChecker } from '../../chat/privacy/checker.ts'
import type { RootConfig } from '../../ton/root-config.ts'
import { channelRow, connectionEvidence, registryRow, statements } from './network-rows.ts'
import { notChecked, said } from './rows.ts'
import { type CheckedNetwork, connectionName, connectionOf, type Used } from './used-connection.ts'

/** The practice network: the client's connection to the proxy. It has no attestation, so most rows say that nobody checked. */
export function practiceChecker(live: Watchable<CheckedNetwork | null>, now: () => number = Date.now): LevelChecker {
  return {
    level: 'practice',
    connection: connectionName(live),
    check: async (name) => {
      const { network, used } = connectionOf(live, name)
      return findings(used, network.root.config.value, now())
    },
  }
}

function findings(used: Used, root: RootConfig | null, nowMs: number): Findings {
  return {
    rows: [
      channelRow(used.peer),
      registryRow(used.link.endpoint, root, nowMs),
      notChecked(
        'hardware',
        statements.hardware,
        said('The practice network asks for no proof of hardware.', { code: 'check-hardware-practice' }),
      ),
      notChecked(
        'software',
        statements.software,
        said('The registry of the practice network lists no images.', { code: 'check-software-practice' }),
      ),
      notChecked(
        'worker',
        statements.worker,
        said('Who the worker is and which file it answers with was not checked over the network.', {
          code: 'check-worker-practice',
        }),
      ),
    ],
    evidence: connectionEvidence(used, root, 'any'),
  }
}
