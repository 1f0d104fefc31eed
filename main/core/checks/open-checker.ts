import type { CheckRow, EvidenceItem } from '../../../preload/api/privacy.ts'
import type { Watchable } from '../../base/signal.ts'
import { untilAborted } from '../../base/until-aborted.ts'
import type { Findings, LevelChecker } from '../../chat/privacy/checker.ts'
import type { SealedWorker } from '../../protocol/sealed/outcome.ts'
import { maxCoefficient } from '../network-answer.ts'
import type { OpenedModel } from '../opened-model.ts'
import { channelRow, connectionEvidence, registryRow, statements } from './network-rows.ts'
import { evidence, notChecked, passed, said } from './rows.ts'
import { type CheckedNetwork, connectionName, connectionOf } from './used-connection.ts'

/**
 * The Open network: the way to the proxy, and whether questions are sealed past it. Whoever the worker belongs to could read them.
 * @param onFound the owners of the workers that questions can be sealed to, with each check that was not given up
 */
export function openChecker(
  live: Watchable<CheckedNetwork | null>,
  model: OpenedModel,
  onFound: (owners: ReadonlySet<string>) => void,
  now: () => number = Date.now,
): LevelChecker {
  return {
    level: 'open',
    connection: connectionName(live, model),
    check: async (name, signal) => {
      const { network, used } = connectionOf(live, name)
      const asked = model.value
      const workers = asked === null ? [] : await untilAborted(network.client.sealableWorkers(asked, maxCoefficient), signal)
      // Another check may have earned the seal meanwhile: what an old one found counts for nothing.
      signal.throwIfAborted()
      onFound(new Set(workers.map(({ owner }) => owner)))
      const root = network.root.config.value
      const findings: Findings = {
        rows: [
          channelRow(used.peer),
          registryRow(used.link.endpoint, root, now()),
          sealRow(workers),
          notChecked(
            'hardware',
            statements.hardware,
            said('This level asks the worker for no proof of its hardware.', { code: 'check-hardware-open' }),
          ),
          notChecked(
            'software',
            statements.software,
            said('Which program answers was not checked. A changed one could store what it reads.', {
              code: 'check-software-open',
            }),
          ),
          notChecked(
            'worker',
            statements.worker,
            said('Who owns the worker and which file it answers with was not checked.', { code: 'check-worker-open' }),
          ),
        ],
        evidence: [
          ...connectionEvidence(used, root, used.peer.quote === undefined ? 'any' : 'tdx'),
          evidence(
            'readers',
            'text',
            said('Who could read', { code: 'evidence-readers' }),
            workers.length === 0 ? 'owner of the proxy, owner of the worker' : 'owner of the worker',
          ),
          ...workerEvidence(workers),
        ],
      }
      return findings
    },
  }
}

const sealStatement = said('Sealed past the proxy', { code: 'check-sealed' })

/** Of the workers that a question could go to: with a choice of several nobody knows yet which it will be. */
function sealRow(workers: readonly SealedWorker[]): CheckRow {
  const [first, ...others] = workers
  if (first === undefined)
    return notChecked(
      'sealed',
      sealStatement,
      said('No worker that takes questions offers a key to seal to, so the proxy could read this too.', {
        code: 'check-sealed-none',
      }),
    )
  if (others.length > 0)
    return passed(
      'sealed',
      'here',
      sealStatement,
      said(
        `Sealed to one of ${workers.length} workers; who they belong to was not checked. The proxy may run the one that answers.`,
        { code: 'check-sealed-several', values: { n: workers.length } },
      ),
    )
  return passed(
    'sealed',
    'here',
    sealStatement,
    said(`Sealed to worker ${first.owner}; who that is was not checked. The proxy may run that worker.`, {
      code: 'check-sealed-to',
      values: { owner: first.owner },
    }),
  )
}

const mostShown = 5

/** Whom a question could be sealed to. */
export function workerEvidence(workers: readonly SealedWorker[]): EvidenceItem[] {
  return workers.slice(0, mostShown).flatMap(({ owner, keyId, model }, index) => {
    const n = index + 1
    const id = index === 0 ? 'worker' : `worker-${n}`
    return [
      evidence(`${id}-owner`, 'mono', said(`Owner of worker ${n}`, { code: 'evidence-worker-owner', values: { n } }), owner),
      evidence(`${id}-key-id`, 'hash', said(`Key of worker ${n}`, { code: 'evidence-worker-key', values: { n } }), keyId),
      evidence(`${id}-model`, 'mono', said(`Model of worker ${n}`, { code: 'evidence-worker-model', values: { n } }), model),
    ]
  })
}
