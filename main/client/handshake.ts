import type { Address } from '@ton/core'
import { clientInit } from '../../contracts/client.ts'
import { proxyInit } from '../../contracts/proxy.ts'
import { addressOf, handshakeFailure } from '../protocol/handshake/proxy-words.ts'
import type { VersionRange } from '../protocol/handshake/versions.ts'
import { decode, encode } from '../protocol/tl/codec.ts'
import { cancelExtensionFlag, sealedExtensionFlag } from '../protocol/tl/schema.ts'
import type { TlObject } from '../protocol/tl/types.ts'
import type { PacketConnection } from '../protocol/wire/connection.ts'
import type { RootConfig } from '../ton/root-config.ts'

/** The proxy as it introduced itself, with the addresses that were derived and compared. */
export interface KnownProxy {
  readonly proxyContract: Address
  readonly clientContract: Address
  readonly publicKey: Uint8Array
  readonly owner: Address
  /** 1 to 4 */
  readonly protocol: number
  /** Whether it takes `client.cancelQuery` (docs/protocol-extensions.md). */
  readonly cancels: boolean
  /** Whether this client and it have agreed on sealed queries. */
  readonly seals: boolean
  readonly auth: TlObject<'client.connectedToProxy'>['auth']
  /** Unchecked. */
  readonly payment: TlObject<'client.connectedToProxy'>['signed_payment']
}

/**
 * First step of protocol 30 §3: introduces the owner and checks who answers. Throws `Failure` (`handshake-failed`, `query-refused`, a
 * WireError or a TlError); close the connection then.
 */
export async function introduceClient(
  connection: PacketConnection,
  client: { readonly owner: Address; readonly versions: VersionRange; readonly seals: boolean },
  root: RootConfig,
  timeoutMs: number,
): Promise<KnownProxy> {
  const { params } = root
  const { owner, versions, seals } = client
  const question = encode({
    '@type': 'client.connectToProxy',
    params: {
      '@type': 'client.params',
      flags: 3 | cancelExtensionFlag | (seals ? sealedExtensionFlag : 0),
      client_owner_address: owner.toString({ bounceable: false }),
      is_test: params.isTest,
      min_proto_version: versions.least,
      max_proto_version: versions.most,
    },
    min_config_version: root.version,
  })
  const answer = decode(await connection.query(question, { timeoutMs }), 'client.connectedToProxy')
  const told = answer.params
  // Without bit 1 the proxy speaks protocol 0, which has no common form of answers (protocol 30 §3.2).
  if (told.is_test === undefined || told.proto_version === undefined || told.proto_version < 1)
    throw handshakeFailure('The proxy is too old for this app.')
  if (told.proto_version > versions.most || told.proto_version < versions.least)
    throw handshakeFailure(`The proxy chose protocol version ${told.proto_version}, which was not offered.`)
  if (told.is_test !== params.isTest) throw handshakeFailure('The proxy belongs to another kind of network (test mode differs).')
  const proxyOwner = addressOf(told.proxy_owner_address, 'proxy owner')
  const publicKey = told.proxy_public_key
  const proxyContract = proxyInit({ owner: proxyOwner, publicKey, root: root.address, params }).address
  if (!addressOf(told.proxy_sc_address, 'proxy contract').equals(proxyContract))
    throw handshakeFailure("The proxy's contract address does not belong to its key and the network's terms.")
  const clientContract = clientInit({ owner, proxy: proxyContract, publicKey, params }).address
  if (!addressOf(answer.client_sc_address, 'client contract').equals(clientContract))
    throw handshakeFailure('The proxy named a client contract that is not yours.')
  return {
    proxyContract,
    clientContract,
    publicKey,
    owner: proxyOwner,
    protocol: told.proto_version,
    cancels: (told.flags & cancelExtensionFlag) !== 0,
    seals: seals && (told.flags & sealedExtensionFlag) !== 0,
    auth: answer.auth,
    payment: answer.signed_payment,
  }
}

/** Proves the ownership, by the contract's secret or by the registration on chain that was sent before; throws like `introduceClient`. */
export async function authorize(
  connection: PacketConnection,
  proof: { readonly kind: 'short'; readonly secret: Uint8Array } | { readonly kind: 'long' },
  timeoutMs: number,
  signal: AbortSignal,
): Promise<TlObject<'client.authorizationWithProxySuccess'>> {
  const question =
    proof.kind === 'short'
      ? encode({ '@type': 'client.authorizeWithProxyShort', data: proof.secret })
      : encode({ '@type': 'client.authorizeWithProxyLong' })
  const answer = decode(
    await connection.query(question, { timeoutMs, signal }),
    'client.authorizationWithProxySuccess',
    'client.authorizationWithProxyFailed',
  )
  if (answer['@type'] === 'client.authorizationWithProxyFailed')
    throw handshakeFailure(`The proxy did not accept the authorization (code ${answer.error_code}).`)
  return answer
}
