import { newestVersion } from '../protocol/handshake/versions.ts'
import { decoder, encode, nameOf } from '../protocol/tl/codec.ts'
import type { PacketConnection } from '../protocol/wire/connection.ts'
import { peerErrorCodes, TcpQueryError } from '../protocol/wire/wire-error.ts'
import type { PrivateKey } from './key-ring.ts'

/** Who may ask the key manager: each role has a question of its own (protocol 20 §4.6). */
export type KeyHolder = 'proxy' | 'worker'

/** Nobody's key manager hands out so many: hourly ones that live a day are 24. */
const mostKeys = 256
/** Room for so many keys and what stands around them. */
export const mostAnswerBytes = 16 * 1024
const queryTimeoutMs = 30_000

const decodeKeys = decoder('keyManager.privateKeys')
const questions = {
  proxy: { newer: 'keyManager.getProxyPrivateKeysNewer', older: 'keyManager.getProxyPrivateKeys' },
  worker: { newer: 'keyManager.getWorkerPrivateKeysNewer', older: 'keyManager.getWorkerPrivateKeys' },
} as const

/**
 * Asks for all keys that are valid. Key managers of the older revision know the question in another form (protocol 95 §1), which is tried when they
 * do not understand the newer one.
 * @param rootVersion of the network contract, for the older form
 * @throws TcpQueryError the key manager refuses; WireError; TlError for an answer that is none
 */
export async function askForKeys(
  connection: PacketConnection,
  holder: KeyHolder,
  rootVersion: number,
  signal: AbortSignal,
): Promise<PrivateKey[]> {
  const query = (data: Uint8Array): Promise<Uint8Array> => connection.query(data, { timeoutMs: queryTimeoutMs, signal })
  const { newer, older } = questions[holder]
  try {
    return readKeys(await query(encode({ '@type': newer, proto_version: newestVersion })))
  } catch (thrown) {
    if (!isUnknownQuery(thrown)) throw thrown
    return readKeys(await query(encode({ '@type': older, min_config_version: rootVersion })))
  }
}

/** What an unknown question gets (protocol 10 §2). */
function isUnknownQuery(thrown: unknown): boolean {
  return thrown instanceof TcpQueryError && thrown.peerCode === peerErrorCodes.none && thrown.peerMessage === 'Lost promise'
}

/** A key of zeros is none: its place in a query says that it is not encrypted. A time before 1970 has passed. */
function readKeys(answer: Uint8Array): PrivateKey[] {
  return decodeKeys(answer)
    .keys.slice(0, mostKeys)
    .map((key) => ({ seed: key.private_key, validUntilMs: key.valid_until_utime * 1000 }))
    .filter(({ seed, validUntilMs }) => validUntilMs > 0 && seed.some((byte) => byte !== 0))
}

/** A question for private keys. */
export interface KeyQuestion {
  readonly holder: KeyHolder
  /** Of the network contract that the peer knows; 0 where it does not say. */
  readonly leastRootVersion: number
}

const questionNames = [questions.proxy.newer, questions.proxy.older, questions.worker.newer, questions.worker.older] as const
const decodeQuestion = decoder(...questionNames)

/** Undefined for any other query. @throws TlError for a question that is cut or too long */
export function readQuestion(data: Uint8Array): KeyQuestion | undefined {
  const name = nameOf(data)
  if (!questionNames.some((one) => one === name)) return undefined
  const question = decodeQuestion(data)
  const holder = question['@type'].includes('Proxy') ? 'proxy' : 'worker'
  return { holder, leastRootVersion: 'min_config_version' in question ? question.min_config_version : 0 }
}

/** The answer to either form. @param keys valid ones, with a rest of at most 2^31 s since 1970 */
export function writeKeys(keys: readonly PrivateKey[]): Uint8Array {
  return encode({
    '@type': 'keyManager.privateKeys',
    keys: keys.map(({ seed, validUntilMs }) => ({
      '@type': 'keyManager.privateKey',
      valid_until_utime: Math.floor(validUntilMs / 1000),
      private_key: seed,
    })),
  })
}
