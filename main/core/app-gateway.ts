import type { Logger } from '../base/logger.ts'
import type { Privacy } from '../chat/privacy/privacy.ts'
import { Gateway } from '../gateway/gateway.ts'
import { gatewayMigrations } from '../gateway/gateway-tables.ts'
import { localBackend } from '../gateway/local-backend.ts'
import type { LocalEngine } from '../inference/local-engine.ts'
import { createEngineBackend } from '../inference/openai.ts'
import { openDatabase } from '../storage/database.ts'
import type { DiskRoom } from '../storage/disk-room.ts'
import { engineTrouble } from './engine-trouble.ts'
import type { Engines } from './engines/engines.ts'
import { externalGateway } from './engines/external-gateway.ts'
import type { Stopped } from './load-again.ts'
import type { ModelKeeper } from './model-keeper.ts'
import { networkGateway, type ServingPlace } from './network-gateway.ts'
import type { OtherModels } from './other-models.ts'
import type { PracticeBackend } from './practice-backend.ts'

/** Who sends, as the seals know it. */
const sender = 'local API'

export interface AppGatewayOptions {
  /** Path of its book. */
  readonly path: string
  readonly engine: LocalEngine
  readonly models: Pick<ModelKeeper, 'current' | 'stopped'>
  /** Installed models beside it. */
  readonly others: OtherModels
  readonly practice: PracticeBackend
  /** What the worker serves with. */
  readonly serving: ServingPlace
  /** Of other programs. */
  readonly engines: Engines
  readonly privacy: Privacy
  readonly room: DiskRoom
  readonly logger: Logger
}

export interface AppGateway {
  readonly gateway: Gateway
  stop(): Promise<void>
}

/** The local API over what the app has: its engine, and the practice network while that is open. Open when it was open at the end of the last run. */
export function openAppGateway({
  path,
  engine,
  models,
  others,
  practice,
  serving,
  engines,
  privacy,
  room,
  logger,
}: AppGatewayOptions): AppGateway {
  const database = openDatabase(path, gatewayMigrations, { logger, room })
  const loaded = () => {
    const { current } = models
    if (current === undefined) return undefined
    const backend = createEngineBackend({ engine, model: current.identity.baseName, lane: 'api' })
    return { backend, capabilities: engine.capabilities, isLoaded: engine.state.value.status === 'ready' }
  }
  const gateway = new Gateway({
    database,
    backends: [
      localBackend({
        current: loaded,
        trouble: () => engineTrouble(engine.state.value),
        retryAfterS: () => secondsTo(models.stopped.value),
        permission: privacy.gate('computer', sender),
        others,
      }),
      networkGateway(practice, serving, privacy.gate('practice', sender)),
      externalGateway(engines),
    ],
    logger,
  })
  void gateway.start()
  return {
    gateway,
    stop: async () => {
      await gateway.stop()
      database.close()
    },
  }
}

/** A model that is on its way is there soon; one that the engine gave up comes with the next try, if there is one. */
function secondsTo(stopped: Stopped | null): number | null {
  if (stopped === null) return 1
  return stopped.nextTryAtMs === null ? null : Math.max(1, Math.ceil((stopped.nextTryAtMs - Date.now()) / 1000))
}
