import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { clientInit } from '../../../contracts/client.ts'
import { proxyInit } from '../../../contracts/proxy.ts'
import { silentLogger } from '../../base/logger.ts'
import { Signal } from '../../base/signal.ts'
import type { WirePayment } from '../../protocol/payments/signed-payment.ts'
import { scriptedNetwork, signedPayment } from '../../protocol/testing/scripted-network.ts'
import { type ScriptedConnection, ScriptedProxy } from '../../protocol/testing/scripted-proxy.ts'
import { cancelExtensionFlag } from '../../protocol/tl/schema.ts'
import type { TlObject } from '../../protocol/tl/types.ts'
import { openDatabase } from '../../storage/database.ts'
import { fillableDisk } from '../../storage/testing/full-disk.ts'
import type { RootConfig } from '../../ton/root-config.ts'
import { clientMigrations } from '../account-store.ts'
import { Client } from '../client.ts'
import type { ClientEvent, ClientOptions } from '../options.ts'
import { secretHash } from '../secret.ts'

const { root, owner, clientOwner, proxyKey } = scriptedNetwork
export const proxyContract = proxyInit({ owner, publicKey: proxyKey, root: root.address, params: root.params }).address
export const clientContract = clientInit({
  owner: clientOwner,
  proxy: proxyContract,
  publicKey: proxyKey,
  params: root.params,
}).address

export const chargeOf = (tokens: bigint, key?: Uint8Array): WirePayment =>
  signedPayment({ kind: 'client-charge', queryId: tokens + 1n, contract: clientContract, tokens }, key)

/** A client without a blockchain in front of a scripted proxy. */
export async function clientPeer(options: Partial<ClientOptions> = {}) {
  const folder = mkdtempSync(join(tmpdir(), 'cocoon-client-'))
  const proxy = await ScriptedProxy.listen()
  const disk = fillableDisk(openDatabase(join(folder, 'client.sqlite'), clientMigrations, { logger: silentLogger }))
  const { database } = disk
  const rootSignal = new Signal<RootConfig | null>(root)
  const events: ClientEvent[] = []
  const client = new Client({
    root: rootSignal,
    owner: clientOwner,
    money: undefined,
    masterSecret: new Uint8Array(32).fill(9),
    database,
    dial: proxy.dial,
    logger: silentLogger,
    reconnectMs: 20,
    handshakeTimeoutMs: 15_000,
    ...options,
  })
  client.events.on((event) => events.push(event))
  return {
    proxy,
    client,
    disk,
    events,
    root: rootSignal,
    dispose: async () => {
      await client.stop()
      await proxy.close()
      database.close()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

/**
 * Starts the client of a peer and answers its handshake honestly.
 * @returns the connection at the scripted proxy, when the client takes questions
 */
export async function becomeReady(
  { client, proxy }: Pick<Awaited<ReturnType<typeof clientPeer>>, 'client' | 'proxy'>,
  handshake: Parameters<typeof completeHandshake>[1] = {},
): Promise<ScriptedConnection> {
  client.start()
  const connection = await proxy.accept()
  await completeHandshake(connection, handshake)
  await client.whenReady(AbortSignal.timeout(60_000))
  return connection
}

export const connectedToProxy = (
  change: Partial<TlObject<'proxy.params'>> = {},
  other: Partial<TlObject<'client.connectedToProxy'>> = {},
): TlObject<'client.connectedToProxy'> => ({
  '@type': 'client.connectedToProxy',
  params: {
    '@type': 'proxy.params',
    flags: 3 | cancelExtensionFlag,
    proxy_public_key: proxyKey,
    proxy_owner_address: owner.toString(),
    proxy_sc_address: proxyContract.toString(),
    is_test: true,
    proto_version: 2,
    ...change,
  },
  client_sc_address: clientContract.toString(),
  auth: { '@type': 'client.proxyConnectionAuthShort', secret_hash: secretHash(new Uint8Array(0)), nonce: 0n },
  signed_payment: { '@type': 'proxy.signedPaymentEmpty' },
  ...other,
})

/** Answers the client's handshake honestly; `flags` 3 is a proxy without the cancel extension. */
export async function completeHandshake(
  connection: ScriptedConnection,
  options: { flags?: number; params?: Partial<TlObject<'proxy.params'>>; signed?: bigint; db?: bigint; max?: bigint } = {},
): Promise<void> {
  const hello = await connection.nextQuery('client.connectToProxy')
  hello.answer(connectedToProxy({ ...(options.flags === undefined ? {} : { flags: options.flags }), ...options.params }))
  const auth = await connection.nextQuery('client.authorizeWithProxyShort')
  auth.answer({
    '@type': 'client.authorizationWithProxySuccess',
    signed_payment: chargeOf(options.signed ?? 0n),
    tokens_committed_to_db: options.db ?? 0n,
    max_tokens: options.max ?? 0n,
  })
}
