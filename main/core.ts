import { dirname } from 'node:path'
import { createHandlers } from './api.ts'
import type { Handlers } from './api-link.ts'
import { Failure, toldOf } from './base/failure.ts'
import type { Logger } from './base/logger.ts'
import { untilAborted } from './base/until-aborted.ts'
import { ChatService } from './chat/chat-service.ts'
import { chatMigrations } from './chat/chat-tables.ts'
import { computerBackend } from './chat/computer-backend.ts'
import { Privacy } from './chat/privacy/privacy.ts'
import { SealKeeper } from './chat/privacy/seal-keeper.ts'
import type { ChildEntries } from './child-entries.ts'
import { openAppDevices } from './core/app-devices.ts'
import { openAppElectricity } from './core/app-electricity.ts'
import { openAppGateway } from './core/app-gateway.ts'
import { openAppLimits } from './core/app-limits.ts'
import { beginServing } from './core/begin-serving.ts'
import { computerChecker } from './core/checks/computer-checker.ts'
import { externalChecker } from './core/checks/external-checker.ts'
import { practiceChecker } from './core/checks/practice-checker.ts'
import { earnRole } from './core/earn-role.ts'
import { Engines } from './core/engines/engines.ts'
import { externalChat } from './core/engines/external-chat.ts'
import { applyEnvProxy } from './core/env-proxy.ts'
import { localSecrets } from './core/local-keys.ts'
import { ModelKeeper } from './core/model-keeper.ts'
import { openAppNetwork } from './core/open-app-network.ts'
import { openedLevels } from './core/opened-levels.ts'
import { OtherModels } from './core/other-models.ts'
import { modelComing, networkStarting, PracticeBackend } from './core/practice-backend.ts'
import { Serving } from './core/serving.ts'
import { StartProgress } from './core/start-progress.ts'
import { stopInOrder } from './core/stop-in-order.ts'
import { withSystemProxy } from './core/system-proxy.ts'
import { openLedger } from './earnings/ledger.ts'
import { earningsMigrations } from './earnings/ledger-tables.ts'
import { steadyRecorder } from './earnings/steady-recorder.ts'
import { readFacts } from './hardware/facts.ts'
import type { GpuWatch } from './hardware/gpu-reading.ts'
import { openGpuWatch, sharedWatch } from './hardware/telemetry.ts'
import { LocalEngine } from './inference/local-engine.ts'
import { chainIdOf } from './localnet/chain-id.ts'
import { shippedCatalog } from './models/catalog.ts'
import { ModelLibrary } from './models/library.ts'
import { ModelsPlace } from './models/models-place.ts'
import { ModelMover } from './models/move-models.ts'
import { RateLimit } from './models/rate-limit.ts'
import { readChainNetwork } from './network/network-file.ts'
import type { TrustedRoots } from './protocol/attestation/intel-chain.ts'
import { quoteJudge } from './roles/attesting.ts'
import { openDatabase } from './storage/database.ts'
import { DiskRoom } from './storage/disk-room.ts'
import { bookPaths, dataPaths, makeDataDir } from './storage/files.ts'
import { lockInstance } from './storage/instance-lock.ts'
import { createSealer } from './storage/sealer.ts'
import { openSettings } from './storage/settings.ts'
import { version } from './version.ts'
import { openSecretStore } from './wallet/secret-store.ts'
import { openVault } from './wallet/vault.ts'

export interface CoreOptions {
  readonly dataDir: string
  readonly shell: 'desktop' | 'browser'
  /** Processes of the shell, which draw the window; none by default. */
  readonly shellPids?: () => ReadonlySet<number>
  /** Where the graphics cards are read, of the app's own processes; the system's sources by default. */
  readonly openGpus?: (ourPids: () => ReadonlySet<number>) => GpuWatch
  readonly entries: ChildEntries
  /** Network file to open in place of the computer's own local network. */
  readonly networkFile?: string
  /** That the app runs no proxy of its own there, and speaks to those that the network lists. */
  readonly listedProxies?: boolean
  /** Where collateral for quotes is asked for; Intel's own service by default. */
  readonly pccs?: string
  /** Root keys that quotes have to hold up to: `intelRoots` in all that ships. No setting, flag or file says otherwise. */
  readonly roots: TrustedRoots
  /** Asked when the vault has a password. */
  readonly vaultPassword?: () => Promise<string>
  readonly logger: Logger
}

export interface Core {
  readonly handlers: Handlers
  /** Ends every role, process and database, in the order that loses nothing. */
  stop(): Promise<void>
}

/**
 * Builds every room and starts the app. Resolves as soon as pages can be served; model and network go on starting and tell their progress
 * by `app.start`.
 * @throws Failure when the data folder cannot be used: `already-running`, of the vault, of the databases.
 */
export async function startCore(options: CoreOptions): Promise<Core> {
  const {
    dataDir,
    shell,
    shellPids,
    openGpus = openGpuWatch,
    entries,
    networkFile,
    listedProxies = false,
    pccs,
    roots,
    vaultPassword,
    logger,
  } = options
  // A file that cannot be used ends the start before anything is touched.
  const chosen = networkFile === undefined ? null : readChainNetwork(networkFile)
  const readOnly = chosen !== null && chosen.chain.kind !== 'local'
  const paths = dataPaths(dataDir)
  makeDataDir(dataDir)
  const lock =
    chosen === null || readOnly
      ? lockInstance(paths.lock)
      : lockInstance(
          paths.lock,
          'Stop it first: a network on the local chain opens only with the data folder whose chain has it.',
        )
  const undoProxy = applyEnvProxy(logger, await withSystemProxy())
  const progress = new StartProgress(logger, { readOnly })
  progress.set('storage', 'working')
  const vault = await openVault(paths, { password: vaultPassword })
  const secretStore = openSecretStore(paths.secrets, vault.derive('secrets'))
  const books = bookPaths(paths, chosen?.root.hash ?? null)
  makeDataDir(dirname(books.earningsDb))
  // Keys come before the chain: their absence beside one is told.
  const secrets = await localSecrets(secretStore, paths)
  const chainId = readOnly ? undefined : chainIdOf(paths.chain, logger.room('chain'))
  const settings = openSettings(paths.settings, { logger })
  const room = new DiskRoom(dataDir)
  room.state.onChange((disk) => progress.setDisk(disk))
  const chatDatabase = openDatabase(paths.chatDb, chatMigrations, { logger, room })
  const ledgerDatabase = openDatabase(books.earningsDb, earningsMigrations, { logger, room, chainId })
  const sealer = createSealer(vault.derive('chat'))
  const ledger = openLedger(ledgerDatabase)
  progress.set('storage', 'ready')

  const facts = progress.run('hardware', () => readFacts(logger.room('hardware')))
  facts.catch(() => undefined)

  // The user's own chat never waits for the end of a served answer.
  const whereIs = (path: string): string => library.whereIs(path)
  const engine = new LocalEngine({
    entryPath: entries.engine,
    keepOwn: true,
    whereIs,
    beforeLoad: () => models.checkFile(),
    onSpeed: (speed) => {
      if (models.current !== undefined) library.setSpeed(models.current.id, speed)
    },
    logger: logger.room('engine'),
  })
  const catalog = shippedCatalog()
  const gpus = sharedWatch(() => openGpus(() => new Set([process.pid, engine.pid ?? process.pid, ...others.pids])))
  const rate = new RateLimit(() => settings.value.downloadBytesPerSecond ?? null)
  const place = new ModelsPlace(paths.modelsPlace, paths.models, logger.room('models'))
  const library = new ModelLibrary({
    ...place.forLibrary,
    catalog,
    http: { rate },
    mirror: () => settings.value.modelMirror ?? null,
    logger: logger.room('models'),
  })
  const mover = new ModelMover({ library, place, ownFolder: paths.models, logger: logger.room('models') })
  const keptBy = vault.kind === 'password' ? 'Opened by a password' : 'Opened by a key file beside the data, for unattended start'
  const others: OtherModels = new OtherModels({
    engine: { entryPath: entries.engine, whereIs, logger: logger.room('engine') },
    library,
    chosen: engine,
    current: () => models.current?.id,
    facts: () => facts,
    moving: mover.state,
    seal: { dataDir, vault: keptBy, byPassword: vault.kind === 'password' },
    logger: logger.room('models'),
  })
  const quotes = quoteJudge({ dataDir, ...(pccs === undefined ? {} : { pccs }), roots, logger })
  const network = openAppNetwork({
    chosen,
    listedProxies,
    quotes,
    paths: books,
    secrets,
    chainId,
    entries,
    progress,
    paused: settings.value.earningPaused,
    room,
    logger,
  })
  const recorder = steadyRecorder(ledger, logger)
  network.workerEvents.on((event) => recorder.record(event))
  const practice = new PracticeBackend()
  const opened = openedLevels(network, quotes, (level) => privacy.keeper(level))
  const engines = new Engines({ secrets: secretStore, ownPort: () => api.gateway.port, logger: logger.room('engines') })
  const serving: Serving = new Serving({
    engine,
    engines,
    network,
    begin: (served) => beginServing(served, { engine, network, practice, external: () => serving.external.value }),
    onEnd: () => showPractice(),
    onFailure: (reason) => practice.fail(toldOf(reason)),
    logger: logger.room('serving'),
  })
  const { external } = serving
  const electricity = openAppElectricity({
    database: ledgerDatabase,
    ...{ ledger, engine, external, network, settings, gpus },
    logger: logger.room('earnings'),
  })
  const limits = openAppLimits({
    ...{ engine, others, network, external, settings, gpus, shellPids },
    lastHours: () => electricity.lastHours(),
    logger: logger.room('limits'),
  })
  const models: ModelKeeper = new ModelKeeper({
    library,
    engine,
    settings,
    progress,
    logger: logger.room('models'),
    onLibrary: () => mover.resume(),
    onTake: (id) => others.take(id),
    onLeave: (id) => others.leave(id),
    onUnload: async () => {
      showOwn()
      await serving.ownGone()
    },
    onReady: async (model, signal) => {
      await untilAborted(networkUp, signal)
      await serving.ownReady(model)
    },
  })
  let networkIsUp = false
  /** The practice level while nothing serves. A network that cannot be used stays so with any model. */
  const showPractice = (): void => {
    const trouble = network.failure.value ?? (external.value === null ? models.trouble.value : null)
    if (trouble) practice.fail(toldOf(trouble))
    else practice.attach(undefined, networkIsUp ? modelComing : networkStarting)
  }
  /** What this app's engine lacks says nothing of another program's. */
  const showOwn = (): void => {
    if (external.value === null) showPractice()
  }
  models.trouble.onChange(showOwn)
  models.trouble.onChange((trouble) => {
    if (trouble instanceof Failure && trouble.code === 'models-folder-away') mover.away()
  })
  // A model that was to be downloaded waited for the end of the move.
  mover.state.onChange(({ status }) => {
    if (status === 'idle' && models.trouble.value instanceof Failure && models.trouble.value.code === 'models-moving')
      models.start()
  })
  const onComputer = computerBackend(engine)
  const paired = await openAppDevices({
    path: paths.devicesDb,
    secretStore,
    key: vault.derive('devices'),
    engine,
    library,
    catalog,
    model: () => models.current,
    room,
    logger: logger.room('devices'),
  })
  const checkers = [
    computerChecker({
      engine,
      library,
      model: () => models.current,
      dataDir,
      vault: keptBy,
      byPassword: vault.kind === 'password',
    }),
    practiceChecker(network.live, network.worker, external),
    paired.checker,
    ...opened.checkers,
    externalChecker(engines),
  ]
  const privacy = new Privacy({
    keepers: checkers.map((checker) => new SealKeeper({ checker, logger: logger.room('seal') })),
    settings,
  })
  const chat = new ChatService({
    database: chatDatabase,
    sealer,
    backends: [onComputer, practice, paired.backend, ...opened.backends, externalChat(engines)],
    privacy,
    logger: logger.room('chat'),
  })

  const networkUp = network.start().then(() => {
    networkIsUp = true
    showPractice()
    // Told in the log.
    serving.open().catch(() => undefined)
  })
  models.start()
  const api = openAppGateway({
    path: books.gatewayDb,
    engine,
    models,
    others,
    practice,
    serving,
    engines,
    privacy,
    room,
    logger: logger.room('api'),
  })
  engines.start()

  const handlers = createHandlers({
    info: {
      name: 'Cocoon Desktop',
      version,
      shell,
      platform: process.platform,
      dataDir,
      nodeVersion: process.version,
      vault: keptBy,
    },
    facts: () => facts,
    gpus,
    progress,
    settings,
    library,
    mover,
    catalog,
    models,
    engine,
    others,
    chat,
    privacy,
    ledger,
    role: earnRole({ engine: serving, external, network, disk: room.state, settings, pauses: limits.pauses }),
    limits,
    electricity,
    network,
    api,
    paired,
    engines,
    serving,
    logger,
  })

  return {
    handlers,
    stop: () =>
      stopInOrder(logger, [
        { chat: () => chat.close() },
        { api: () => api.stop(), devices: () => paired.stop(), engines: () => engines.stop() },
        { levels: () => opened.close(), privacy: () => privacy.close(), limits: () => limits.close() },
        // All at once: a model that is being made ready may wait for the network, and either for the engine.
        {
          models: () => models.stop(),
          serving: () => serving.stop(),
          mover: () => mover.stop(),
          engine: () => engine.dispose(),
          others: () => others.stop(),
          network: () => network.stop(),
        },
        { recorder: () => recorder.close(), electricity: () => electricity.close(), room: () => room.close() },
        { chats: () => chatDatabase.close(), ledger: () => ledgerDatabase.close() },
        { sealer: () => sealer.close(), secrets: () => secretStore.close(), vault: () => vault.close(), proxy: undoProxy },
        { lock: () => lock.release() },
      ]),
  }
}
