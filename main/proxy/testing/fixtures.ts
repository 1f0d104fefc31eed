import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Address, Cell } from '@ton/core'
import { parseRootState } from '../../../contracts/root.ts'
import { keySigner, publicKeyOfSeed } from '../../../contracts/signed.ts'
import { silentLogger } from '../../base/logger.ts'
import { Signal } from '../../base/signal.ts'
import type { VersionRange } from '../../protocol/handshake/versions.ts'
import { listen } from '../../protocol/wire/listen.ts'
import type { RootConfig } from '../../ton/root-config.ts'
import { plainPort } from '../ports.ts'
import { CocoonProxy } from '../proxy.ts'
import type { PortOpener, ProxyConfig, ProxyDeps } from '../proxy-config.ts'
import { usualTerms } from '../settlement.ts'

const contracts = JSON.parse(readFileSync(new URL('../../../contracts/vectors/contracts.json', import.meta.url), 'utf8')) as {
  inputs: {
    owner_address: { raw: string }
    root_contract_address: { raw: string }
    keys: { proxy: { private_key_seed_hex: string } }
  }
  variants: { root_contract_state: { state: { boc_hex: string } }; cocoon_wallets: { proxy: { address: { raw: string } } } }[]
}
const fakeTon = contracts.variants[1]
if (fakeTon === undefined) throw new Error('the golden contracts have no fake-TON variant')

export const goldenOwner = Address.parseRaw(contracts.inputs.owner_address.raw)
export const goldenSeed = Buffer.from(contracts.inputs.keys.proxy.private_key_seed_hex, 'hex')
export const goldenWallet = Address.parseRaw(fakeTon.cocoon_wallets.proxy.address.raw)

/** Root of the golden sessions: fake TON, price 2, fee 1, config version 3. */
export function goldenRoot(change: Partial<RootConfig> = {}): RootConfig {
  const state = parseRootState(Cell.fromHex(fakeTon?.root_contract_state.state.boc_hex ?? ''))
  return { ...state, version: 3, address: Address.parseRaw(contracts.inputs.root_contract_address.raw), readAtMs: 0, ...change }
}

export function temporaryFolder(): { path: string; remove(): void } {
  const path = mkdtempSync(join(tmpdir(), 'cocoon-proxy-'))
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) }
}

export function testConfig(folder: string, change: Partial<ProxyConfig> = {}): ProxyConfig {
  return {
    owner: goldenOwner,
    checkHashes: false,
    listedModelsOnly: false,
    stakeNano: 0n,
    terms: { ...usualTerms, chainCommitDelayMs: () => 60_000, tickMs: 50 },
    dbCommitDelayMs: 5,
    testnet: false,
    databasePath: join(folder, 'proxy.db'),
    acceptLostDatabase: false,
    ...change,
  }
}

/** What the recorded proxies spoke: one that speaks the same behaves as they did. */
export const recordedVersions: VersionRange = { least: 0, most: 2 }

/** A proxy in the mode without a blockchain, on plain loopback ports. */
export function pseudoProxy(folder: string, change: Partial<ProxyConfig> = {}, deps: Partial<ProxyDeps> = {}): CocoonProxy {
  return new CocoonProxy(testConfig(folder, change), {
    root: new Signal<RootConfig | null>(goldenRoot()),
    side: { kind: 'pseudo', wallet: goldenWallet },
    key: { publicKey: publicKeyOfSeed(goldenSeed), signer: keySigner(goldenSeed) },
    openWorkerPort: plainPort(),
    openClientPort: plainPort(),
    logger: silentLogger,
    ...deps,
  })
}

/** A port on loopback for scripted peers that begin as a router does, with what it says of its peer. */
export function routerPort(): PortOpener {
  return async (onPeer) => {
    const place = { host: '127.0.0.1', port: 0 }
    const listener = await listen({ ...place, plain: true, behindRouter: true }, ({ connection, peer }) =>
      onPeer({ connection, imageHash: peer.imageHash }),
    )
    return { ...place, port: listener.port, close: () => listener.close() }
  }
}
