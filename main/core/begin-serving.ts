import type { CapableEngine } from '../inference/engine.ts'
import { createEngineBackend } from '../inference/openai.ts'
import type { Worker } from '../worker/worker.ts'
import type { AppNetwork, Offering } from './app-network.ts'
import { practiceConnection } from './checks/practice-checker.ts'
import { isPermitted } from './checks/used-connection.ts'
import type { ServingEngine } from './engines/serving-engine.ts'
import { leadsToOwn } from './own-roles.ts'
import { type PracticeBackend, proxyElsewhere } from './practice-backend.ts'
import type { Served } from './serving.ts'

interface ServingParts {
  readonly engine: CapableEngine
  readonly network: Pick<AppNetwork, 'serve' | 'live' | 'noWorker'>
  readonly practice: Pick<PracticeBackend, 'attach' | 'fail'>
  /** What serves now, by the user's choice. */
  readonly external: () => ServingEngine | null
}

/** Makes a worker of the network with what serves, and lets the practice level ask it. Null where there is no network to serve. */
export async function beginServing(
  served: Served,
  { engine, network, practice, external }: ServingParts,
): Promise<Worker | null> {
  const worker = await network.serve(offeringOf(served, engine))
  const live = network.live.value
  const noWorker = network.noWorker.value
  if (live?.own === null) practice.fail(proxyElsewhere)
  else if (worker === null && noWorker !== null) practice.fail(noWorker)
  else if (live && worker) {
    const other = served.kind === 'external' ? served.engine : undefined
    const state = (other ?? engine).state
    practice.attach({
      client: live.client,
      worker,
      isOwnProxy: (connection, side) => leadsToOwn(live.own, connection, side),
      engine: state,
      external: other,
      ...(served.kind === 'external'
        ? { model: served.engine.model, modelName: served.engine.model }
        : { model: served.model.identity.baseName, modelName: served.model.name }),
      contextTokens: () => contextOf(state.value),
      root: () => live.root.config.value,
      // A permit that was given for another worker or engine, or for this one when it served before, is none.
      isPermitted: (connection, permitted) => {
        const end = practiceConnection('', worker.state.value.sealingKey, other ?? null)
        if (end === null) return false
        const isCurrent = external()?.identity === other?.identity && permitted.endsWith(end)
        return isCurrent && isPermitted(live, connection, permitted.slice(0, permitted.length - end.length))
      },
      refill: (missing) => live.topUps.refill(missing),
    })
  }
  return worker
}

function offeringOf(served: Served, engine: CapableEngine): Offering {
  if (served.kind === 'external') {
    const { engine: backend } = served
    return { backend, modelName: backend.model, engine: 'external', atOnce: backend.atOnce }
  }
  const { baseName, fullName } = served.model.identity
  return { backend: createEngineBackend({ engine, model: baseName }), modelName: fullName, engine: 'builtin' }
}

/** Undefined where it is not known. */
const contextOf = (state: CapableEngine['state']['value']): number | undefined =>
  ('contextTokens' in state && state.contextTokens) || undefined
