import { WALLET_MINIMUM } from '../../contracts/cocoon-wallet.ts'
import { ED25519_KEY_TYPE } from '../../contracts/root.ts'
import { keySigner, publicKeyOfSeed } from '../../contracts/signed.ts'
import { KeyBook, keyBookMigrations } from '../keys/key-book.ts'
import { KeyManager, type KeyManagerOptions, type Rotation } from '../keys/key-manager.ts'
import { keyPublisher } from '../keys/key-publisher.ts'
import { checkRootMembership } from '../protocol/attestation/root-membership.ts'
import { plainPort, securePort } from '../proxy/ports.ts'
import { openDatabase } from '../storage/database.ts'
import { createSealer } from '../storage/sealer.ts'
import type { RootConfig } from '../ton/root-config.ts'
import { rootOrderValue } from '../ton/root-orders.ts'
import { ownQuote, type PolicyName, policyNamedOf } from './attesting.ts'
import { Closers } from './closers.ts'
import { openKeyFile } from './key-file.ts'
import type { Role } from './role.ts'
import { openRoleFolder } from './role-folder.ts'
import { firstRoot, ownerOf, type RoleOptions } from './role-options.ts'
import { openRoleWallet, waitForMoney } from './role-wallet.ts'
import { listingOf } from './root-listing.ts'
import { routerPort } from './router-port.ts'

export interface KeyManagerRoleOptions extends RoleOptions {
  readonly host: string
  readonly port: number
  /** What proxies and workers must prove. */
  readonly policy: PolicyName
  /** Frames directly on TCP, for test peers: no proof of work, no TLS. */
  readonly plain: boolean
  /** Plain, and every peer is a router that says first who it speaks for. */
  readonly behindRouter?: boolean
  /** Leading zero bits of the proof of work that each peer owes, 0 to 24. */
  readonly difficulty: number
  /** How often keys change; an hour and a day, unless given. */
  readonly rotation?: Rotation
}

/** Readings of the network contract that say who may hold keys are used for so long (protocol 50 §1). */
const mostRootAgeMs = 7_200_000

/**
 * A key manager (protocol 95 §4).
 * @throws Failure of the folder, the key file, the database, the wallet and the port; nothing is left open then
 */
export function startKeyManagerRole(options: KeyManagerRoleOptions): Promise<Role> {
  const { network, dataDir, logger, signal } = options
  const closers = new Closers(logger)
  return closers.during(signal, async () => {
    closers.addWaitedFor(() => network.close())
    const folder = openRoleFolder(dataDir, network.name, 'key-manager', options.keyFile)
    closers.add(() => folder.release())
    const { keys } = openKeyFile(folder.keyFile, 'key-manager')
    const publicKey = publicKeyOfSeed(keys.machineKey)
    const wallet = openRoleWallet(keys.walletKey, ownerOf(options), network.chain)
    closers.addWaitedFor(() => wallet.money?.wallet.close())
    const root = await firstRoot(options)
    await waitForMoney(wallet, WALLET_MINIMUM + rootOrderValue, { logger, signal })
    const database = openDatabase(folder.database, keyBookMigrations, { logger, chainId: network.chainId })
    closers.add(() => database.close())
    const sealer = createSealer(keys.sealKey)
    closers.add(() => sealer.close())
    const { money } = wallet
    const manager = new KeyManager({
      root: network.root,
      book: new KeyBook(database, sealer),
      openPort: portOf(options),
      ...(options.policy === 'any' ? {} : { check: checkHolder }),
      ...(money && { publish: keyPublisher(money.chain, money.wallet, { publicKey, signer: keySigner(keys.machineKey) }) }),
      ...(options.rotation && { rotation: options.rotation }),
      logger: logger.room('keys'),
    })
    closers.add(() => manager.stop())
    await manager.start()
    const key = Buffer.from(publicKey).toString('hex')
    return {
      facts: [
        `Proxies and workers: ${options.host}:${manager.state.value.port} (policy ${options.policy})`,
        ...(money === undefined ? withoutChain(manager) : onChain(root, key, wallet.address.toString({ bounceable: false }))),
        `Keys and book: ${folder.path}`,
      ],
      stop: async () => {
        await closers.close()
        return 0
      },
    }
  })
}

/** @throws AttestationError for an image that the network contract does not list for that role */
const checkHolder: NonNullable<KeyManagerOptions['check']> = (holder, imageHash, root) => {
  const mostAgeMs = root.source === undefined ? Number.POSITIVE_INFINITY : mostRootAgeMs
  checkRootMembership({ imageHash }, listingOf(root), { part: holder, nowMs: Date.now(), mostAgeMs })
}

function portOf(options: KeyManagerRoleOptions): KeyManagerOptions['openPort'] {
  const { host, port, policy, plain, behindRouter = false, difficulty, logger } = options
  if (behindRouter) return routerPort(host, port)
  if (plain) return plainPort(host, port)
  const quote = ownQuote(policy, options.hardware)
  const own = { host, port, fixed: true, difficulty, policy: policyNamedOf(policy, options), logger: logger.room('ports') }
  return securePort({ ...own, ...(quote && { quote }) })
}

function onChain(root: RootConfig, key: string, wallet: string): string[] {
  const isNamed = root.keyManager?.publicKey === key
  return [
    `Wallet for listing keys: ${wallet}`,
    `Key manager: ${key}`,
    ...(isNamed ? [] : [`The network contract does not name it yet; its owner does: network change-key-manager ${key} …`]),
  ]
}

/** The entry that the network file needs, in the form of `rootConfig.pseudo`. */
function withoutChain(manager: KeyManager): string[] {
  return manager.state.value.keys.map(({ publicKey, validUntilMs }) => {
    const entry = {
      public_key: Buffer.from(publicKey, 'hex').toString('base64'),
      key_type: ED25519_KEY_TYPE,
      expire_at: validUntilMs / 1000,
    }
    return `For registered_public_keys of the network file: ${JSON.stringify(entry)}`
  })
}
