import { Failure } from '../../base/failure.ts'
import { Signal, type Watchable } from '../../base/signal.ts'
import type { Findings, LevelChecker } from '../../chat/privacy/checker.ts'
import type { RootConfig } from '../../ton/root-config.ts'
import type { ServingEngine } from '../engines/serving-engine.ts'
import { channelRow, connectionEvidence, registryRow, statements } from './network-rows.ts'
import { notChecked, said } from './rows.ts'
import { type CheckedNetwork, connectionName, connectionOf, type Used } from './used-connection.ts'

/** An engine of another program that the worker of the practice network serves with; null: this app's engine. */
export type ServesWith = Watchable<Pick<ServingEngine, 'identity' | 'name' | 'host'> | null>

/** What a seal of the practice network is earned for: a connection, and who reads at its end. */
export const practiceConnection = (connection: string, external: ServesWith['value']): string =>
  external === null ? connection : `${connection} served by ${external.identity}`

/** The practice network: the client's connection to the proxy. It has no attestation, so most rows say that nobody checked. */
export function practiceChecker(
  live: Watchable<CheckedNetwork | null>,
  external: ServesWith = new Signal(null),
  now: () => number = Date.now,
): LevelChecker {
  const plain = connectionName(live)
  const named = (): string | null => (plain.value === null ? null : practiceConnection(plain.value, external.value))
  const connection = new Signal(named())
  for (const one of [plain, external] as readonly Watchable<unknown>[]) one.onChange(() => connection.set(named()))
  return {
    level: 'practice',
    connection,
    check: async (name) => {
      if (name !== connection.value)
        throw new Failure('connection-lost', 'The connection ended while it was checked.', { retryable: true })
      const { network, used } = connectionOf(live, plain.value)
      return findings(used, network.root.config.value, external.value, now())
    },
  }
}

function findings(used: Used, root: RootConfig | null, external: ServesWith['value'], nowMs: number): Findings {
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
      ...(external === null ? [] : [programRow(external)]),
    ],
    evidence: connectionEvidence(used, root, 'any'),
  }
}

const programRow = ({ name, host }: { readonly name: string; readonly host: string }) =>
  notChecked(
    'engine-program',
    said('What the program does with what it reads', { code: 'check-engine-program' }),
    said(`The worker answers with ${name}, another program at ${host}. It may keep what it reads, or pass it on to others.`, {
      code: 'check-engine-program-serves',
      values: { name, host },
    }),
  )
