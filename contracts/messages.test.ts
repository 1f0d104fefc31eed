import { type Address, beginCell, Cell } from '@ton/core'
import { describe, expect, it } from 'vitest'
import {
  clientChangeSecret,
  clientChangeSecretAndTopUp,
  clientIncreaseStake,
  clientRegister,
  clientRequestRefund,
  clientTopUp,
  clientWithdraw,
  parseClientMessage,
} from './client.ts'
import { excesses, parseMoneyMessage, payout } from './common.ts'
import { LONGEST_DELAY_SEC } from './params.ts'
import {
  type ClientRequest,
  parseProxyMessage,
  parseProxyOrder,
  proxyIncreaseStake,
  proxyOwnerClose,
  proxyPayoutRequest,
  proxyText,
  stateCommitMemo,
  type WorkerRequest,
} from './proxy.ts'
import { clientRequestMessage, parseRefundUnpaid, refundUnpaidMessage, workerRequestMessage } from './proxy-requests.ts'
import { type RootRequest, rootRequest } from './root.ts'
import { keyRegistrationIsSigned, parseKeyRegistration, repackKeyRegistration, signKeyRegistration } from './root-keys.ts'
import { parseRootRequest } from './root-messages.ts'
import { keySigner, publicKeyOfSeed, signMessage } from './signed.ts'
import { actor } from './testbed.ts'
import { parseWorkerMessage, workerRegister } from './worker.ts'

const U64 = 2n ** 64n - 1n
const COINS = 2n ** 120n - 1n
const U32 = 2 ** 32 - 1
const seed = new Uint8Array(32).fill(1)
const hash = new Uint8Array(32).fill(0xab)
const here = { host: '10.1.2.3', port: 1 }
const there = { host: '10.1.2.4', port: 65_535 }
const someone = actor('someone')
const envelope = { queryId: U64, excesses: someone }

/** Addresses by their text: two of them are equal when these are. */
function plain(value: unknown): unknown {
  return JSON.parse(
    JSON.stringify(value, (_, item: unknown) => {
      if (typeof item === 'bigint') return `${item}n`
      if (item instanceof Cell) return item.hash().toString('hex')
      if (item instanceof Uint8Array) return Buffer.from(item).toString('hex')
      return item
    }),
  )
}

interface Message {
  readonly name: string
  readonly body: Cell
  readonly parse: (body: Cell) => unknown
  readonly says: unknown
}

const account = { state: 'closing', balance: COINS, stake: 0n, tokensUsed: U64, secretHash: hash } as const
const client: Omit<ClientRequest, 'kind' | 'payload'> = { queryId: U64, owner: someone, ...account }
const worker: Omit<WorkerRequest, 'kind' | 'payload'> = { queryId: U64, owner: someone, state: 'closed', tokens: U64 }
const clientPayloads: readonly ClientRequest['payload'][] = [
  null,
  { kind: 'register', nonce: U64 },
  { kind: 'top-up', amount: COINS, excesses: someone },
  { kind: 'refund-granted', amount: 0n, excesses: someone },
  { kind: 'refund-force', amount: 1n, excesses: someone },
]
const workerPayloads: readonly WorkerRequest['payload'][] = [
  null,
  { kind: 'payout', workerPart: COINS, proxyPart: 0n, excesses: someone },
]
const terms = {
  pricePerToken: COINS,
  workerFeePerToken: COINS,
  proxyDelaySec: LONGEST_DELAY_SEC,
  clientDelaySec: 0,
  minProxyStake: COINS,
  minClientStake: 0n,
}
const rootRequests: readonly RootRequest[] = [
  ...(['addWorkerHash', 'delWorkerHash', 'addModelHash', 'delModelHash', 'addProxyHash', 'delProxyHash'] as const).map((op) => ({
    op,
    hash,
  })),
  { op: 'registerProxy', endpoints: { forWorkers: here, forClients: there } },
  { op: 'unregisterProxy', seqno: U32 },
  { op: 'updateProxy', seqno: 0, endpoints: { forWorkers: here, forClients: here } },
  { op: 'changePrice', pricePerToken: COINS, workerFeePerToken: 0n },
  { op: 'changeParams', ...terms },
  { op: 'upgradeContracts', proxy: cell(1), worker: cell(2), client: cell(3) },
  { op: 'upgradeCode', code: cell(1) },
  { op: 'reset' },
  { op: 'fullUpgrade', data: cell(1), code: cell(2) },
  { op: 'changeOwner', owner: someone },
  { op: 'addPublicKey', publicKey: hash, type: 255, expiresAtSec: U32 },
  { op: 'changeKeyManager', publicKey: hash, imageHash: hash, endpoints: null },
  { op: 'changeKeyManager', publicKey: hash, imageHash: hash, endpoints: { forWorkers: here, forClients: here } },
]
const registration = { queryId: U64, publicKey: hash, type: 1, expiresAtSec: U32 }

const messages: readonly Message[] = [
  ...(
    [
      ['top up', clientTopUp(envelope, COINS), { kind: 'top-up', amount: COINS }],
      [
        'secret and top up',
        clientChangeSecretAndTopUp(envelope, hash, 0n),
        { kind: 'change-secret-and-top-up', amount: 0n, secretHash: hash },
      ],
      ['secret', clientChangeSecret(envelope, hash), { kind: 'change-secret', secretHash: hash }],
      ['register', clientRegister(envelope, U64), { kind: 'register', nonce: U64 }],
      ['stake', clientIncreaseStake(envelope, COINS), { kind: 'increase-stake', newStake: COINS }],
      ['withdraw', clientWithdraw(envelope), { kind: 'withdraw' }],
      ['refund', clientRequestRefund(envelope), { kind: 'request-refund' }],
    ] as const
  ).map(([name, body, says]) => ({ name: `client ${name}`, body, parse: parseClientMessage, says: { ...says, ...envelope } })),
  {
    name: 'worker register',
    body: workerRegister(envelope),
    parse: parseWorkerMessage,
    says: { kind: 'register', ...envelope },
  },
  ...(
    [
      ['payout request', proxyPayoutRequest(envelope), { kind: 'payout-request', ...envelope }],
      ['increase stake', proxyIncreaseStake(envelope, COINS), { kind: 'increase-stake', amount: COINS, ...envelope }],
      ['owner close', proxyOwnerClose(envelope), { kind: 'owner-close', ...envelope }],
      ['text c', proxyText('c'), { kind: 'text', command: 'c' }],
      ['text w', proxyText('w'), { kind: 'text', command: 'w' }],
    ] as const
  ).map(([name, body, says]) => ({ name: `proxy ${name}`, body, parse: parseProxyOrder, says })),
  {
    name: 'state commit',
    body: stateCommitMemo({ queryId: U64, seqno: -(2 ** 31), sessionHash: hash }),
    parse: parseProxyMessage,
    says: { kind: 'state-commit', queryId: U64, seqno: -(2 ** 31), sessionHash: hash },
  },
  ...clientPayloads.map((payload) => ({
    name: `client request, ${payload?.kind ?? 'without payload'}`,
    body: clientRequestMessage({ ...client, payload }),
    parse: parseProxyMessage,
    says: { kind: 'client-request', ...client, payload },
  })),
  ...workerPayloads.map((payload) => ({
    name: `worker request, ${payload?.kind ?? 'without payload'}`,
    body: workerRequestMessage({ ...worker, payload }),
    parse: parseProxyMessage,
    says: { kind: 'worker-request', ...worker, payload },
  })),
  {
    name: 'refund unpaid',
    body: refundUnpaidMessage({ ...envelope, amount: COINS }),
    parse: parseRefundUnpaid,
    says: { ...envelope, amount: COINS },
  },
  ...rootRequests.map((request) => ({
    name: `root ${request.op}`,
    body: rootRequest(U64, request),
    parse: parseRootRequest,
    says: { queryId: U64, request },
  })),
  { name: 'excesses', body: excesses(U64), parse: parseMoneyMessage, says: { kind: 'excesses', queryId: U64 } },
  { name: 'payout', body: payout(U64), parse: parseMoneyMessage, says: { kind: 'payout', queryId: U64 } },
]

function cell(n: number): Cell {
  return beginCell().storeUint(n, 8).endCell()
}

describe('messages', () => {
  it.each(messages.map((message) => [message.name, message] as const))(
    '%s: what was built is read back',
    (_, { body, parse, says }) => {
      expect(plain(parse(body))).toEqual(plain(says))
    },
  )

  it('are not taken for another one', () => {
    const parsers = [
      parseClientMessage,
      parseWorkerMessage,
      parseProxyOrder,
      parseProxyMessage,
      parseRefundUnpaid,
      parseRootRequest,
      parseMoneyMessage,
    ]
    for (const { body, parse, name } of messages) {
      for (const other of parsers) if (other !== parse) expect([name, other(body)]).toEqual([name, null])
    }
  })

  it('are nothing when a bit is missing or too much', () => {
    for (const { body, parse, name } of messages) {
      const short = beginCell().storeBits(body.bits.substring(0, body.bits.length - 1))
      const long = beginCell().storeBits(body.bits).storeBit(0)
      for (const ref of body.refs) {
        short.storeRef(ref)
        long.storeRef(ref)
      }
      expect([name, parse(short.endCell())]).toEqual([name, null])
      // Money messages carry nothing else, but software takes them with anything behind.
      if (parse !== parseMoneyMessage) expect([name, parse(long.endCell())]).toEqual([name, null])
    }
  })

  it('of the key manager are signed, read, checked and passed on', () => {
    const body = signKeyRegistration(registration, someone, keySigner(seed))
    for (const source of [body, new Uint8Array(body.toBoc())]) {
      const message = parseKeyRegistration(source)
      expect(plain(message.registration)).toEqual(plain(registration))
      expect(keyRegistrationIsSigned(message, publicKeyOfSeed(seed))).toBe(true)
      expect(keyRegistrationIsSigned(message, hash)).toBe(false)
      expect(keyRegistrationIsSigned(message, new Uint8Array(32))).toBe(false)
      const other = parseKeyRegistration(repackKeyRegistration(message, actor('other')))
      expect(other.excesses.equals(actor('other'))).toBe(true)
      expect(other.payloadCell.equals(message.payloadCell)).toBe(true)
    }
    const moved = beginCell().storeSlice(body.beginParse()).storeBit(0).endCell()
    for (const bad of [Cell.EMPTY, moved, excesses(1n)]) expect(() => parseKeyRegistration(bad)).toThrow()
  })
})

const unsigned = (name: string, bits: number) => (value: bigint | number) => `${name} must be 0..2^${bits}-1, not ${value}`
/** A field of a builder: what is refused, and with which words. */
type Bound = readonly [field: string, build: (value: bigint) => unknown, bits: number, as: string]

const big: readonly Bound[] = [
  ['client top up, amount', (amount) => clientTopUp(envelope, amount), 120, 'amount'],
  ['client top up, queryId', (queryId) => clientTopUp({ ...envelope, queryId }, 1n), 64, 'queryId'],
  ['client secret and top up, amount', (amount) => clientChangeSecretAndTopUp(envelope, hash, amount), 120, 'amount'],
  ['client register, nonce', (nonce) => clientRegister(envelope, nonce), 64, 'nonce'],
  ['client increase stake, newStake', (stake) => clientIncreaseStake(envelope, stake), 120, 'newStake'],
  ['client secret, queryId', (queryId) => clientChangeSecret({ ...envelope, queryId }, hash), 64, 'queryId'],
  ['client withdraw, queryId', (queryId) => clientWithdraw({ ...envelope, queryId }), 64, 'queryId'],
  ['client refund, queryId', (queryId) => clientRequestRefund({ ...envelope, queryId }), 64, 'queryId'],
  ['worker register, queryId', (queryId) => workerRegister({ ...envelope, queryId }), 64, 'queryId'],
  ['refund unpaid, amount', (amount) => refundUnpaidMessage({ ...envelope, amount }), 120, 'amount'],
  ['refund unpaid, queryId', (queryId) => refundUnpaidMessage({ ...envelope, queryId, amount: 1n }), 64, 'queryId'],
  ['proxy payout request, queryId', (queryId) => proxyPayoutRequest({ ...envelope, queryId }), 64, 'queryId'],
  ['proxy increase stake, amount', (amount) => proxyIncreaseStake(envelope, amount), 120, 'amount'],
  ['proxy owner close, queryId', (queryId) => proxyOwnerClose({ ...envelope, queryId }), 64, 'queryId'],
  ['state commit, queryId', (queryId) => stateCommitMemo({ queryId, seqno: 1, sessionHash: hash }), 64, 'queryId'],
  ['excesses, queryId', (queryId) => excesses(queryId), 64, 'queryId'],
  ['payout, queryId', (queryId) => payout(queryId), 64, 'queryId'],
  ['client request, balance', (balance) => clientRequestMessage({ ...client, balance, payload: null }), 120, 'balance'],
  ['client request, stake', (stake) => clientRequestMessage({ ...client, stake, payload: null }), 120, 'stake'],
  ['client request, used', (tokensUsed) => clientRequestMessage({ ...client, tokensUsed, payload: null }), 64, 'tokensUsed'],
  [
    'client request, amount',
    (amount) => clientRequestMessage({ ...client, payload: { kind: 'top-up', amount, excesses: someone } }),
    120,
    'amount',
  ],
  ['client request, nonce', (nonce) => clientRequestMessage({ ...client, payload: { kind: 'register', nonce } }), 64, 'nonce'],
  ['worker request, tokens', (tokens) => workerRequestMessage({ ...worker, tokens, payload: null }), 64, 'tokens'],
  [
    'worker request, workerPart',
    (workerPart) => workerRequestMessage({ ...worker, payload: parts(workerPart, 0n) }),
    120,
    'workerPart',
  ],
  [
    'worker request, proxyPart',
    (proxyPart) => workerRequestMessage({ ...worker, payload: parts(0n, proxyPart) }),
    120,
    'proxyPart',
  ],
  ['root, queryId', (queryId) => rootRequest(queryId, { op: 'reset' }), 64, 'queryId'],
  [
    'root params, minProxyStake',
    (value) => rootRequest(1n, { op: 'changeParams', ...terms, minProxyStake: value }),
    120,
    'minProxyStake',
  ],
  [
    'root params, minClientStake',
    (value) => rootRequest(1n, { op: 'changeParams', ...terms, minClientStake: value }),
    120,
    'minClientStake',
  ],
  [
    'root price, pricePerToken',
    (value) => rootRequest(1n, { op: 'changePrice', pricePerToken: value, workerFeePerToken: 0n }),
    120,
    'pricePerToken',
  ],
  ['signed, queryId', (queryId) => signed(queryId, 1n), 64, 'queryId'],
  ['signed, tokens', (tokens) => signed(1n, tokens), 64, 'tokens'],
  [
    'key registration, queryId',
    (queryId) => signKeyRegistration({ ...registration, queryId }, someone, keySigner(seed)),
    64,
    'queryId',
  ],
]

function parts(workerPart: bigint, proxyPart: bigint): WorkerRequest['payload'] {
  return { kind: 'payout', workerPart, proxyPart, excesses: someone }
}

function signed(queryId: bigint, tokens: bigint): Cell {
  return signMessage({ kind: 'client-charge', queryId, tokens, contract: someone }, someone, keySigner(seed))
}

const small: readonly (readonly [field: string, build: (value: number) => unknown, bits: number, as: string])[] = [
  ['root unregister, seqno', (seqno) => rootRequest(1n, { op: 'unregisterProxy', seqno }), 32, 'seqno'],
  [
    'root update, seqno',
    (seqno) => rootRequest(1n, { op: 'updateProxy', seqno, endpoints: { forWorkers: here, forClients: here } }),
    32,
    'seqno',
  ],
  ['root key, type', (type) => rootRequest(1n, { op: 'addPublicKey', publicKey: hash, type, expiresAtSec: 1 }), 8, 'type'],
  [
    'root key, expiresAtSec',
    (value) => rootRequest(1n, { op: 'addPublicKey', publicKey: hash, type: 1, expiresAtSec: value }),
    32,
    'expiresAtSec',
  ],
  ['key registration, type', (type) => signKeyRegistration({ ...registration, type }, someone, keySigner(seed)), 8, 'type'],
  [
    'key registration, expiresAtSec',
    (value) => signKeyRegistration({ ...registration, expiresAtSec: value }, someone, keySigner(seed)),
    32,
    'expiresAtSec',
  ],
]

const bytes: readonly (readonly [field: string, build: (value: Uint8Array) => unknown, as: string])[] = [
  ['client secret', (value) => clientChangeSecret(envelope, value), 'secretHash'],
  ['client secret and top up', (value) => clientChangeSecretAndTopUp(envelope, value, 1n), 'secretHash'],
  ['client request', (secretHash) => clientRequestMessage({ ...client, secretHash, payload: null }), 'secretHash'],
  ['state commit', (sessionHash) => stateCommitMemo({ queryId: 1n, seqno: 1, sessionHash }), 'sessionHash'],
  ['root hash', (value) => rootRequest(1n, { op: 'addModelHash', hash: value }), 'hash'],
  ['root key', (publicKey) => rootRequest(1n, { op: 'addPublicKey', publicKey, type: 1, expiresAtSec: 1 }), 'publicKey'],
  [
    'root key manager',
    (publicKey) => rootRequest(1n, { op: 'changeKeyManager', publicKey, imageHash: hash, endpoints: null }),
    'publicKey',
  ],
  [
    'root key manager image',
    (imageHash) => rootRequest(1n, { op: 'changeKeyManager', publicKey: hash, imageHash, endpoints: null }),
    'imageHash',
  ],
  ['seed', (value) => publicKeyOfSeed(value), 'seed'],
]

describe('builders refuse what does not fit, by name', () => {
  it.each(big.map((bound) => [bound[0], bound] as const))('%s', (_, [, build, bits, name]) => {
    const most = 2n ** BigInt(bits) - 1n
    for (const value of [0n, most]) expect(() => build(value)).not.toThrow()
    for (const value of [-1n, most + 1n]) expect(() => build(value)).toThrow(unsigned(name, bits)(value))
  })

  it.each(small.map((bound) => [bound[0], bound] as const))('%s', (_, [, build, bits, name]) => {
    const most = 2 ** bits - 1
    for (const value of [0, most]) expect(() => build(value)).not.toThrow()
    for (const value of [-1, most + 1]) expect(() => build(value)).toThrow(unsigned(name, bits)(value))
    for (const value of [0.5, Number.NaN]) expect(() => build(value)).toThrow(`${name} must be a whole number, not ${value}`)
  })

  it.each(bytes.map((bound) => [bound[0], bound] as const))('%s', (_, [, build, name]) => {
    expect(() => build(hash)).not.toThrow()
    for (const length of [0, 31, 33]) {
      expect(() => build(new Uint8Array(length))).toThrow(`${name} must be 32 bytes, not ${length}`)
    }
  })

  it('state commit, seqno', () => {
    const build = (seqno: number) => stateCommitMemo({ queryId: 1n, seqno, sessionHash: hash })
    for (const seqno of [-(2 ** 31), 2 ** 31 - 1]) expect(() => build(seqno)).not.toThrow()
    expect(() => build(2 ** 31)).toThrow('seqno must be -2^31..2^31-1, not 2147483648')
    expect(() => build(-(2 ** 31) - 1)).toThrow('seqno must be -2^31..2^31-1, not -2147483649')
  })

  it.each(['proxyDelaySec', 'clientDelaySec'] as const)('root params, %s', (name) => {
    const build = (value: number) => rootRequest(1n, { op: 'changeParams', ...terms, [name]: value })
    for (const value of [0, LONGEST_DELAY_SEC]) expect(() => build(value)).not.toThrow()
    expect(() => build(LONGEST_DELAY_SEC + 1)).toThrow(`${name} must be 0..31536000 (a year), not 31536001`)
    expect(() => build(-1)).toThrow(`${name} must be 0..2^32-1, not -1`)
    expect(() => build(0.5)).toThrow(`${name} must be a whole number, not 0.5`)
  })

  it('worker fee, against the price', () => {
    const build = (workerFeePerToken: bigint) => rootRequest(1n, { op: 'changePrice', pricePerToken: 20n, workerFeePerToken })
    for (const fee of [0n, 20n]) expect(() => build(fee)).not.toThrow()
    expect(() => build(21n)).toThrow('workerFeePerToken must be 0..20 (the price), not 21')
    expect(() => build(-1n)).toThrow('workerFeePerToken must be 0..2^120-1, not -1')
  })

  it('secret key, for signatures', () => {
    expect(() => keySigner(new Uint8Array(16))).toThrow('secret key must be 32 or 64 bytes, not 16')
    const wrong = () => new Uint8Array(63)
    const payload = { kind: 'client-charge', queryId: 1n, tokens: 1n, contract: someone as Address } as const
    expect(() => signMessage(payload, someone, wrong)).toThrow('signature must be 64 bytes, not 63')
  })
})
