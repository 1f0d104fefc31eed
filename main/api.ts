import type { AppInfo, HardwareFacts, WalletState } from '../preload/api/system.ts'
import type { Handlers } from './api-link.ts'
import { Failure } from './base/failure.ts'
import type { Logger } from './base/logger.ts'
import type { Watchable } from './base/signal.ts'
import type { ChatService } from './chat/chat-service.ts'
import { writeEvidence } from './chat/privacy/evidence-file.ts'
import type { Privacy } from './chat/privacy/privacy.ts'
import type { AppDevices } from './core/app-devices.ts'
import type { AppElectricity } from './core/app-electricity.ts'
import type { AppGateway } from './core/app-gateway.ts'
import type { AppLimits } from './core/app-limits.ts'
import type { AppNetwork } from './core/app-network.ts'
import { seenByEngine } from './core/card-backends.ts'
import { changes } from './core/changes.ts'
import type { Engines } from './core/engines/engines.ts'
import type { ModelKeeper } from './core/model-keeper.ts'
import { modelStates } from './core/model-view.ts'
import { networkState } from './core/network-view.ts'
import type { OtherModels } from './core/other-models.ts'
import { receiptFile, renewed } from './core/receipts.ts'
import type { Serving } from './core/serving.ts'
import type { StartProgress } from './core/start-progress.ts'
import { readWallets, type WalletSources } from './core/wallet-view.ts'
import { earnStates } from './earnings/earn-state.ts'
import type { EarnRole } from './earnings/earn-status.ts'
import type { Ledger } from './earnings/ledger.ts'
import type { GpuWatch } from './hardware/gpu-reading.ts'
import { readTelemetry, systemTelemetry } from './hardware/telemetry.ts'
import type { LocalEngine } from './inference/local-engine.ts'
import type { CatalogEntry } from './models/catalog.ts'
import { diskUse } from './models/disk-use.ts'
import type { ModelLibrary } from './models/library.ts'
import type { ModelMover } from './models/move-models.ts'
import { folderAway } from './models/moved-folder.ts'
import type { SettingsStore } from './storage/settings.ts'
import type { Worker } from './worker/worker.ts'

export interface ApiParts {
  readonly info: AppInfo
  readonly facts: () => Promise<HardwareFacts>
  /** One watch of the cards for all who look. */
  readonly gpus: () => GpuWatch
  readonly progress: StartProgress
  readonly settings: SettingsStore
  readonly library: ModelLibrary
  readonly mover: ModelMover
  readonly catalog: readonly CatalogEntry[]
  readonly models: ModelKeeper
  readonly engine: LocalEngine
  readonly others: Pick<OtherModels, 'loaded'>
  readonly chat: ChatService
  readonly privacy: Privacy
  readonly ledger: Ledger
  readonly role: Watchable<EarnRole>
  readonly limits: AppLimits
  readonly electricity: AppElectricity
  readonly network: AppNetwork
  readonly api: AppGateway
  readonly paired: AppDevices
  readonly engines: Engines
  /** What the worker serves with. */
  readonly serving: Pick<Serving, 'state'>
  readonly logger: Logger
}

const done = {} as const

/** Implements preload/api over the roles: one line a call, so that this file is also the list of what a page can cause. */
export function createHandlers(parts: ApiParts): Handlers {
  const { devices } = parts.paired
  const {
    api,
    chat,
    electricity,
    privacy,
    engine,
    info,
    ledger,
    library,
    limits,
    models,
    network,
    others,
    progress,
    role,
    settings,
  } = parts

  const worker = (): Worker => {
    const now = network.worker.value
    if (!now)
      throw new Failure('not-ready', 'The worker is not running yet.', {
        advice: 'Wait until a model is loaded.',
        words: { code: 'worker-not-running' },
      })
    return now
  }

  const pause = (paused: boolean): typeof done => {
    settings.change({ earningPaused: paused })
    return done
  }

  const download = (id: string): void => {
    if (!library.models.value.some((model) => model.id === id))
      throw new Failure('not-found', 'There is no such model.', { values: { what: 'model' } })
    library.download(id).then(
      () => models.installed(id),
      (error: unknown) =>
        parts.logger.warn('a download failed', { id, reason: error instanceof Error ? error.message : 'unknown' }),
    )
  }

  return {
    calls: {
      'chat.create': (input) => chat.create(input),
      'chat.rename': (input) => chat.rename(input),
      'chat.pin': (input) => chat.pin(input),
      'chat.delete': (input) => chat.delete(input),
      'chat.setLevel': (input) => chat.setLevel(input),
      'chat.send': (input) => chat.send(input),
      'chat.giveUp': (input) => chat.giveUp(input),
      'chat.stop': (input) => chat.stop(input),
      'chat.retry': (input) => chat.retry(input),
      'chat.export': (input) => chat.export(input),
      'chat.receipt': (input) => {
        const { client, root } = network.live.value ?? {}
        const records = client && root?.config.value ? client.accounts.list(root.config.value.address) : []
        return receiptFile(chat.receipts(input).map((receipt) => renewed(receipt, records)))
      },
      'chat.checkAgain': ({ level }) => {
        privacy.keeper(level)?.checkAgain()
        return done
      },
      'chat.focused': () => {
        privacy.focused()
        return done
      },
      'chat.evidence': ({ level }) => {
        const keeper = privacy.keeper(level)
        return writeEvidence(level, keeper?.state.value, keeper?.inputs)
      },
      'earn.pause': () => pause(true),
      'earn.resume': () => pause(false),
      'earn.settle': async () => {
        const payouts = await worker().settleAll()
        return { ownerReceived: payouts.reduce((sum, { ownerReceived = 0n }) => sum + ownerReceived, 0n) }
      },
      'earn.anyway': () => {
        limits.anyway()
        return done
      },
      'engine.loadAgain': () => {
        models.loadAgain()
        return done
      },
      'engine.useAnyway': () => {
        limits.useAnyway()
        return done
      },
      'limits.set': (input) => limits.set(input),
      'electricity.set': (input) => electricity.set(input),
      'gateway.set': async (input) => {
        await api.gateway.set(input)
        return done
      },
      'gateway.createKey': (input) => api.gateway.createKey(input),
      'gateway.changeKey': (input) => {
        api.gateway.changeKey(input)
        return done
      },
      'gateway.revokeKey': (input) => {
        api.gateway.revokeKey(input)
        return done
      },
      'devices.rename': ({ name }) => {
        devices.rename(name)
        return done
      },
      'devices.share': async ({ on }) => {
        await devices.setSharing(on)
        return done
      },
      'devices.openCode': async () => {
        await devices.openCode()
        return done
      },
      'devices.closeCode': () => {
        devices.desk.close()
        return done
      },
      'devices.join': ({ address, words }) => {
        devices.join(address, words)
        return done
      },
      'devices.confirm': ({ request, accept }) => {
        devices.desk.confirm(request, accept)
        return done
      },
      'devices.choose': ({ id }) => {
        devices.choose(id)
        return done
      },
      'devices.remove': ({ id }) => {
        devices.remove(id)
        return done
      },
      'engines.add': (input) => parts.engines.add(input),
      'engines.test': async ({ id }) => {
        await parts.engines.test(id)
        return done
      },
      'engines.remove': async ({ id }) => {
        await parts.engines.remove(id)
        return done
      },
      'engines.choose': (input) => {
        parts.engines.choose(input)
        return done
      },
      'engines.serve': (input) => {
        parts.engines.serve(input.with)
        return done
      },
      'app.info': () => info,
      'settings.set': (input) => settings.change(input),
      'hardware.facts': async () => seenByEngine(await parts.facts(), engine.state.value),
      'models.download': ({ id }) => {
        download(id)
        return done
      },
      'models.pauseDownload': async ({ id }) => {
        await library.cancelDownload(id)
        return done
      },
      'models.cancelDownload': async ({ id }) => {
        await library.discardDownload(id)
        return done
      },
      'models.storage': () => diskUse(library.folder),
      'models.move': async ({ folder }) => {
        await parts.mover.start(folder)
        return done
      },
      'models.continueMove': () => {
        const move = parts.mover.state.value
        if (move.status === 'away') throw folderAway(move.folder)
        parts.mover.resume()
        return done
      },
      'models.cancelMove': async () => {
        await parts.mover.cancel()
        return done
      },
      'models.findFolder': ({ own }) => {
        if (own) parts.mover.forgetFolder()
        models.start()
        return done
      },
      'models.addFile': async ({ path }) => {
        const added = await library.addFile(path)
        models.installed(added.id)
        return added
      },
      'models.use': ({ id }) => {
        models.use(id)
        return done
      },
      'models.delete': async ({ id }) => {
        await models.giveUp(id)
        await library.delete(id)
        return done
      },
    },
    streams: {
      'chat.list': (_input, signal) => chat.list.values(signal),
      'chat.conversation': (input, signal) => chat.conversation(input, signal),
      'chat.levels': (_input, signal) => chat.levels.values(signal),
      'earn.state': (_input, signal) => earnStates({ ledger, energy: electricity }, role, signal),
      'limits.state': (_input, signal) => changes(() => limits.view(), signal, { intervalMs: 500 }),
      'app.start': (_input, signal) => progress.state.values(signal),
      settings: (_input, signal) => settings.values(signal),
      'hardware.telemetry': (_input, signal) => readTelemetry(signal, systemTelemetry(parts.gpus)),
      'models.moving': (_input, signal) => parts.mover.state.values(signal),
      'models.list': (_input, signal) =>
        modelStates({ library, catalog: parts.catalog, facts: parts.facts, engine, others, stopped: models.stopped }, signal),
      'wallet.state': (_input, signal) =>
        network.readOnly ? closedWallet(network, signal) : readWallets(() => walletSources(network), signal),
      'gateway.state': (_input, signal) => changes(() => api.gateway.view(), signal, { intervalMs: 300 }),
      'devices.state': (_input, signal) => changes(() => parts.paired.view(), signal, { intervalMs: 250 }),
      'engines.state': (_input, signal) => changes(() => parts.engines.view(), signal, { intervalMs: 250 }),
      'network.state': (_input, signal) => changes(() => networkState(network, parts.serving, ledger), signal),
    },
  }
}

/** A network that is only read: there is no wallet to show, and there will be none while the app runs. */
async function* closedWallet({ chainKind }: AppNetwork, signal: AbortSignal): AsyncGenerator<WalletState> {
  yield { network: chainKind, status: 'closed', transactions: [] }
  await new Promise<void>((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
}

function walletSources(network: AppNetwork): WalletSources | null {
  const live = network.live.value
  if (!live) return null
  return {
    chain: live.chain.chain,
    user: live.user,
    node: live.contracts.workerWallet,
    chat: () => chatBalance(network),
    returning: () =>
      network.live.value?.client.state.value.returning.map(({ contract, ...one }) => ({ contract: contract.toString(), ...one })),
  }
}

/** The pocket of money inside the client contract, as the client role reads it from chain and from the proxy's signed word. */
function chatBalance(network: AppNetwork): WalletState['chat'] {
  const [connection] = network.live.value?.client.state.value.connections ?? []
  if (!connection?.clientContract || connection.balance === undefined || connection.stake === undefined) return undefined
  const { balance, stake, pendingCharge = 0n, used = 0n } = connection
  const free = balance - stake - pendingCharge
  return {
    contract: connection.clientContract.toString(),
    balance,
    stake,
    withdrawable: free > 0n ? free : 0n,
    used,
    pendingCharge,
  }
}
