import type { CheckRow } from '../../../preload/api/privacy.ts'
import { Failure } from '../../base/failure.ts'
import { follow, Signal, type Watchable } from '../../base/signal.ts'
import type { Findings, LevelChecker } from '../../chat/privacy/checker.ts'
import type { RootConfig } from '../../ton/root-config.ts'
import type { LiveNetwork } from '../app-network.ts'
import type { ServingEngine } from '../engines/serving-engine.ts'
import { leadsToOwn, type OwnWorker } from '../own-roles.ts'
import { channelRow, connectionEvidence, registryRow, statements } from './network-rows.ts'
import { evidence, notChecked, passed, rowFailed, said } from './rows.ts'
import { type CheckedNetwork, connectionName, connectionOf, type Used } from './used-connection.ts'

/** An engine of another program that the worker of the practice network serves with; null: this app's engine. */
export type ServesWith = Watchable<Pick<ServingEngine, 'identity' | 'name' | 'host'> | null>

/** What of the network the check looks at: the app's own proxy too. */
type PracticeNetwork = CheckedNetwork & Pick<LiveNetwork, 'own'>

/** What a seal of the practice network is earned for: a connection, the worker's key, and who reads at its end. Null while the worker has no key. */
export const practiceConnection = (
  connection: string,
  sealingKey: string | undefined,
  external: ServesWith['value'],
): string | null =>
  sealingKey === undefined
    ? null
    : `${connection} to key ${sealingKey.slice(0, 16)}${external === null ? '' : ` served by ${external.identity}`}`

/**
 * The practice network: the client's connection to the app's own proxy, and the app's own worker behind it. It has no attestation, so most rows say that
 * nobody checked.
 */
export function practiceChecker(
  live: Watchable<PracticeNetwork | null>,
  worker: Watchable<OwnWorker | null>,
  external: ServesWith = new Signal(null),
  now: () => number = Date.now,
): LevelChecker {
  const plain = connectionName(live)
  const keyNow = (): string | undefined => worker.value?.state.value.sealingKey
  const named = (): string | null => (plain.value === null ? null : practiceConnection(plain.value, keyNow(), external.value))
  const connection = new Signal(named())
  const show = (): void => connection.set(named())
  for (const one of [plain, external] as readonly Watchable<unknown>[]) one.onChange(show)
  follow(worker, ({ state }) => state.onChange(show), show)
  return {
    level: 'practice',
    connection,
    check: async (name) => {
      if (name !== connection.value)
        throw new Failure('connection-lost', 'The connection ended while it was checked.', { retryable: true })
      const { network, used } = connectionOf(live, plain.value)
      const owned = ownRow(network.own, used.link.endpoint, worker.value?.state.value.connections[0]?.endpoint)
      return findings({ used, owned, root: network.root.config.value, key: keyNow(), external: external.value, nowMs: now() })
    },
  }
}

interface Found {
  readonly used: Used
  readonly owned: CheckRow
  readonly root: RootConfig | null
  /** Of the worker, by its id. */
  readonly key: string | undefined
  readonly external: ServesWith['value']
  readonly nowMs: number
}

function findings({ used, owned, root, key, external, nowMs }: Found): Findings {
  return {
    rows: [
      owned,
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
        said('The worker is part of this app. Which file it answers with was not checked over the network.', {
          code: 'check-worker-practice',
        }),
      ),
      ...(external === null ? [] : [programRow(external)]),
    ],
    evidence: [
      ...connectionEvidence(used, root, 'any'),
      ...(key === undefined
        ? []
        : [evidence('own-worker-key', 'hash', said('Key of this app’s worker', { code: 'evidence-own-worker-key' }), key)]),
    ],
  }
}

const ownStatement = said('Own proxy and worker', { code: 'check-own-roles' })

/**
 * Whom the connections of client and worker lead to is looked at here; to whose key alone questions are sealed is looked at before each of them.
 * @param serves where the worker is connected; undefined: nowhere now, so it answers for nobody else
 */
function ownRow(own: PracticeNetwork['own'], asks: string, serves: string | undefined): CheckRow {
  const elsewhere = !leadsToOwn(own, { endpoint: asks }, 'clientPort')
    ? asks
    : serves !== undefined && !leadsToOwn(own, { endpoint: serves }, 'workerPort')
      ? serves
      : undefined
  if (elsewhere !== undefined)
    return rowFailed(
      'own-roles',
      ownStatement,
      said(`The proxy at ${elsewhere} is not part of this app.`, {
        code: 'check-own-roles-elsewhere',
        values: { endpoint: elsewhere },
      }),
    )
  return passed(
    'own-roles',
    'here',
    ownStatement,
    said(
      `The proxy at ${asks} is this app’s. A question leaves only sealed to the key of this app’s worker, so no other worker of the network can read it.`,
      { code: 'check-own-roles-here', values: { endpoint: asks } },
    ),
  )
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
