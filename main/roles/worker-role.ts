import type { Address } from '@ton/core'
import { WALLET_MINIMUM } from '../../contracts/cocoon-wallet.ts'
import { ATTACH } from '../../contracts/common.ts'
import { ed25519Signer } from '../../contracts/ed25519.ts'
import { publicKeyOfSeed } from '../../contracts/signed.ts'
import type { HttpPlace } from '../base/http-listener.ts'
import type { Dial } from '../core/dialer.ts'
import { ModelsPlace } from '../models/models-place.ts'
import type { VersionRange } from '../protocol/handshake/versions.ts'
import type { SealingIdentity } from '../protocol/sealed/direct/worker-key.ts'
import type { RouterAddress } from '../protocol/wire/dial-via.ts'
import { openDatabase } from '../storage/database.ts'
import { dataPaths } from '../storage/files.ts'
import { workerMigrations } from '../worker/balance-store.ts'
import { Worker } from '../worker/worker.ts'
import { type PolicyName, sealingMachine } from './attesting.ts'
import { modelChanger } from './change-model.ts'
import { Closers } from './closers.ts'
import { openWorkerHttp } from './http/worker-http.ts'
import { openKeyFile } from './key-file.ts'
import { type KeyManagerAccess, openKeySource } from './network-keys.ts'
import { drained, type Role } from './role.ts'
import { openRoleFolder } from './role-folder.ts'
import { ownerOf, proxyDialer, type RoleOptions } from './role-options.ts'
import { openRoleWallet, waitForMoney } from './role-wallet.ts'
import { openWorkerEngine } from './worker-engine.ts'
import { WorkerMeter } from './worker-meter.ts'

export interface WorkerRoleOptions extends RoleOptions {
  /** `builtin`, or the address of an OpenAI-compatible server. */
  readonly engine: string
  readonly model: string
  /** Price factor in thousandths. */
  readonly coefficient: number
  readonly maxActive: number
  readonly proxies: number
  readonly policy: PolicyName
  /**
   * Clients may seal questions to this worker (docs/protocol-extensions.md). Only the key of the wallet that receives the pay can vouch for that, so the pay
   * then goes to the role's own wallet, which `owner` may empty at any time.
   */
  readonly seals?: boolean
  /** nanoton that are paid out as soon as they are signed; undefined = the proxy's own payouts only. */
  readonly payoutAbove?: bigint
  /** Status for the operator; none when left out. */
  readonly http?: HttpPlace
  /** Protocol versions offered to proxies; those of `Worker` by default. */
  readonly versions?: VersionRange
  /** Program that is run when a proxy asks for another model. */
  readonly changeModel?: string
  /** Where the private keys of the network come from; a proxy's word is taken for them where neither this nor the network contract names one that answers. */
  readonly keyManager?: KeyManagerAccess
  /** JSON text about this computer, for proxies. */
  readonly machine?: string
  readonly dial?: Dial
  /** A router on this computer by which proxies are reached. */
  readonly proxyVia?: RouterAddress
}

/**
 * A worker that serves with one engine (protocol 40).
 * @throws Failure of the folder, the key file, the database, the engine, the wallet; nothing is left open then
 */
export function startWorkerRole(options: WorkerRoleOptions): Promise<Role> {
  const { network, dataDir, entries, logger, signal } = options
  const closers = new Closers(logger)
  return closers.during(options.signal, async () => {
    closers.addWaitedFor(() => network.close())
    const folder = openRoleFolder(dataDir, network.name, 'worker', options.keyFile)
    closers.add(() => folder.release())
    const { keys } = openKeyFile(folder.keyFile, 'worker')
    const master = ownerOf(options)
    const wallet = openRoleWallet(keys.walletKey, master, network.chain)
    closers.addWaitedFor(() => wallet.money?.wallet.close())
    const sealing = options.seals
      ? walletSealing(keys.walletKey, master, sealingMachine(options.engine, options.hardware))
      : undefined
    const owner = sealing === undefined ? master : wallet.address
    const paths = dataPaths(dataDir)
    const { backend, modelName } = await openWorkerEngine({
      engine: options.engine,
      model: options.model,
      sequences: Math.min(options.maxActive, 16),
      place: new ModelsPlace(paths.modelsPlace, paths.models, logger.room('models')),
      entries,
      logger,
      closers,
    })
    await waitForMoney(wallet, WALLET_MINIMUM + ATTACH.workerDeploy + ATTACH.workerPayout, { logger, signal })
    const database = openDatabase(folder.database, workerMigrations, { logger, chainId: network.chainId })
    closers.add(() => database.close())
    const networkKeys = openKeySource('worker', options.keyManager ?? keyManagerOf(options), options)
    closers.add(() => networkKeys.stop())
    const worker = new Worker({
      root: network.root,
      owner,
      money: wallet.money && { chain: wallet.money.chain, nodeWallet: wallet.money.wallet },
      backend,
      modelName,
      database,
      dial: options.dial ?? proxyDialer(options),
      dialChecksImageHashes: options.policy !== 'any',
      ...(sealing && { sealing }),
      coefficient: options.coefficient,
      maxActiveRequests: options.maxActive,
      proxyConnections: options.proxies,
      ...(options.versions === undefined ? {} : { versions: options.versions }),
      ...(options.machine === undefined ? {} : { machineDescription: options.machine }),
      ...(options.changeModel === undefined ? {} : { changeModel: modelChanger(options.changeModel, logger.room('worker')) }),
      knowsPrivateKey: (key) => networkKeys.knows(key),
      ...(options.payoutAbove === undefined ? {} : { automaticPayoutAbove: options.payoutAbove }),
      logger: logger.room('worker'),
    })
    closers.add(() => worker.stop())
    let { coefficient } = options
    const meter = new WorkerMeter(worker, () => {
      const params = network.root.value?.params
      return params && { coefficient, multipliers: params.multipliers }
    })
    const address =
      options.http &&
      (await openWorkerHttp({
        ...options.http,
        worker,
        meter,
        wallet,
        owner,
        modelName,
        coefficient: () => coefficient,
        setCoefficient: (wanted) => {
          worker.setCoefficient(wanted)
          coefficient = wanted
        },
        checksHashes: options.policy !== 'any',
        accessHash: keys.accessHash,
        root: () => network.root.value,
        logger: logger.room('http'),
      }))
    closers.add(() => address?.close())
    networkKeys.start()
    worker.start()
    return {
      facts: [
        `Serves ${modelName} at ${options.coefficient / 1000} times the network's price, ${options.maxActive} requests at once`,
        sealing === undefined
          ? `Payouts go to ${owner.toString({ bounceable: false })}`
          : `Payouts go to this role's wallet, which ${master.toString({ bounceable: false })} may empty; its key vouches for the keys that questions are sealed to${sealing.quote ? ', and so does the quote of this machine' : ''}`,
        ...(wallet.money === undefined ? [] : [`Wallet for gas: ${wallet.address.toString({ bounceable: false })}`]),
        ...(address === undefined ? [] : [`Status: http://${address.host}:${address.port}/stats`]),
        `Keys and book: ${folder.path}`,
      ],
      stop: async (limitMs) => {
        worker.pause()
        const cut = await drained(() => worker.state.value.running, limitMs)
        await closers.close()
        return cut
      },
    }
  })
}

/** The role's own wallet as the one that vouches for the worker's keys; inside a confidential machine with a quote for each. */
export function walletSealing(seed: Uint8Array, owner: Address, machine: ReturnType<typeof sealingMachine>): SealingIdentity {
  return {
    wallet: { '@type': 'sealed.walletCocoon', public_key: publicKeyOfSeed(seed), owner: owner.toRawString() },
    sign: ed25519Signer(seed),
    ...machine,
  }
}

/** Reached and judged like proxies. */
function keyManagerOf({ policy, proxyVia }: WorkerRoleOptions): KeyManagerAccess {
  return { policy, ...(proxyVia === undefined ? {} : { via: proxyVia }) }
}
