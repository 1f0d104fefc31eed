import { beginCell, type Cell } from '@ton/core'
import { SIGNED_OPS, type SignedKind, signedPayloadCell } from '../signed.ts'
import { addressOf } from './account.ts'
import type { Actor, Contract } from './cast.ts'
import { anyMember, anyProxy, attached, everyone, type Operation, operatorOf, sendTo, short, tons } from './choices.ts'
import type { Dice } from './dice.ts'
import { debtsOf } from './invariants.ts'
import { keyNamed } from './keys.ts'
import { CLOSING } from './model-rules.ts'
import type { SignedEntry, World } from './world.ts'

// What operators sign, and what anybody does with it.

const MOST_TOKENS = (1n << 64n) - 1n

/** What an honest operator may sign next for this client; null when nothing more. */
function nextCharge(world: World, dice: Dice, contract: Contract): bigint | null {
  if (world.finished.has(contract.key)) return null
  const client = world.client(contract)
  const price = client.terms.price
  const total = latest(world, contract, 'client')
  const affordable = price > 0n ? client.balance / price : 1_000_000n
  return total + (dice.chance(0.9) ? dice.upTo(affordable) : dice.upTo(affordable * 2n + 10n))
}

/** Larger of what is on chain and what was signed. */
function latest(world: World, contract: Contract, kind: 'client' | 'worker'): bigint {
  let total = kind === 'client' ? world.client(contract).used : world.worker(contract).tokens
  for (const { contract: at, payload, isTrue } of world.signed) {
    if (at === contract.key && isTrue && (payload.tokens ?? 0n) > total) total = payload.tokens ?? 0n
  }
  return total
}

/** Payouts that are signed and not on chain yet count as paid. */
function nextPayout(world: World, dice: Dice, contract: Contract): bigint | null {
  if (world.finished.has(contract.key) || contract.proxy === null) return null
  const { price } = world.worker(contract).terms
  const total = latest(world, contract, 'worker')
  let free = debtsOf(world, contract.proxy).unearned
  for (const other of world.ofKind('worker')) {
    if (other.proxy === contract.proxy) free -= (world.books.worker(other.key).signed - world.worker(other).tokens) * price
  }
  return total + (price > 0n ? dice.upTo(free > 0n ? free / price : 0n) : dice.upTo(1_000_000n))
}

function totalOf(world: World, dice: Dice, contract: Contract, kind: 'client' | 'worker', isLast: boolean): bigint | null {
  if (!operatorOf(contract).honest) {
    const now = latest(world, contract, kind)
    return dice.weighted<bigint>([
      [8, clamp(now + dice.upTo(200_000n))],
      [2, dice.upTo(now)],
      [1, clamp(now + dice.upTo(MOST_TOKENS))],
    ])
  }
  const total = kind === 'client' ? nextCharge(world, dice, contract) : nextPayout(world, dice, contract)
  if (total === null) return null
  const clamped = clamp(total)
  if (isLast) world.finished.add(contract.key)
  return isLast ? latest(world, contract, kind) : clamped
}

const clamp = (tokens: bigint) => (tokens < MOST_TOKENS ? tokens : MOST_TOKENS)

const KINDS = {
  charge: ['client-charge', 'client', false],
  grant: ['client-grant-refund', 'client', true],
  payout: ['worker-payout', 'worker', false],
  lastPayout: ['worker-last-payout', 'worker', true],
} as const

/** Signs a total; then it is delivered, or kept for later, or never seen again. */
function signs(name: keyof typeof KINDS, delivered: number): Operation {
  const [kind, member, isLast] = KINDS[name]
  return async (world, dice) => {
    const contract = anyMember(member, world, dice)
    const tokens = totalOf(world, dice, contract, member, isLast)
    const isNews = tokens !== null && (isLast || tokens > latest(world, contract, member))
    if (tokens === null || (!isNews && dice.chance(0.8))) return replays(world, dice)
    const queryId = dice.bits(64)
    const entry = world.sign(operatorOf(contract), { kind, queryId, tokens, contract: addressOf(contract.key) })
    const said = `${name} ${short(contract.key)} up to ${tokens} tokens`
    return dice.chance(delivered) ? `${said}, ${await deliver(world, dice, entry)}` : `${said}, kept`
  }
}

function signsClose(kind: 'proxy-close-request' | 'proxy-close-complete'): Operation {
  return async (world, dice) => {
    const closing = world.deployed('proxy').filter((proxy) => world.proxy(proxy.key).state === CLOSING)
    const contract = closing.length > 0 && dice.chance(0.7) ? dice.pick(closing) : anyProxy(world, dice)
    const entry = world.sign(operatorOf(contract), { kind, queryId: dice.bits(64), contract: addressOf(contract.key) })
    return `${kind} ${short(contract.key)}, ${await deliver(world, dice, entry)}`
  }
}

/** Puts a signed message into an envelope of the sender's own and sends it. */
export async function deliver(world: World, dice: Dice, entry: SignedEntry, by?: Actor): Promise<string> {
  const contract = world.contracts.get(entry.contract)
  if (contract === undefined) throw new RangeError('signed for no contract')
  const from = by ?? dice.pick(everyone(world))
  const value = attached(0n, dice)
  await sendTo(world, dice, contract, from, value, (excesses) => enveloped(entry, excesses))
  return `sent by ${from.name} with ${tons(value)}`
}

export function enveloped(entry: SignedEntry, excesses: Actor): Cell {
  const { kind, queryId } = entry.payload
  return envelopeOf(SIGNED_OPS[kind], queryId, excesses, entry.signature, entry.cell)
}

function envelopeOf(op: number, queryId: bigint, excesses: Actor, signature: Uint8Array, payload: Cell): Cell {
  return beginCell()
    .storeUint(op, 32)
    .storeUint(queryId, 64)
    .storeAddress(addressOf(excesses.key))
    .storeBuffer(Buffer.from(signature))
    .storeRef(payload)
    .endCell()
}

/** Any message that was ever signed, again or for the first time, early or late. */
const replays: Operation = async (world, dice) => {
  if (world.signed.length === 0) return 'nothing to replay'
  const entry = dice.chance(0.5) ? dice.pick(world.signed.slice(-8)) : dice.pick(world.signed)
  const said = `again ${entry.payload.kind} ${entry.payload.tokens ?? ''} for ${short(entry.contract)}`
  return `${said}, ${await deliver(world, dice, entry)}`
}

const FORGERIES = [
  'other contract',
  'other key',
  'bit of signature',
  'other op',
  'other query',
  'more tokens',
  'cut',
  'longer',
] as const

/** A signed message with one thing wrong. */
const forges: Operation = async (world, dice) => {
  const member = dice.pick(['client', 'worker', 'proxy'] as const)
  const contract = member === 'proxy' ? anyProxy(world, dice) : anyMember(member, world, dice)
  const kinds = (Object.keys(SIGNED_OPS) as SignedKind[]).filter((kind) => kind.startsWith(member))
  const kind = dice.pick(kinds)
  const forgery = dice.pick(FORGERIES)
  const queryId = dice.bits(64)
  const other = dice.pick([...world.contracts.values()])
  const at = addressOf(forgery === 'other contract' && other.key !== contract.key ? other.key : contract.key)
  const tokens = dice.upTo(MOST_TOKENS)
  const counts = kind !== 'proxy-close-request' && kind !== 'proxy-close-complete'
  const cellOf = (total: bigint) =>
    signedPayloadCell(counts ? { kind, queryId, tokens: total, contract: at } : { kind, queryId, contract: at })
  const cell = cellOf(tokens)
  // What the key signs here must be worthless as it is: everything that is true is signed elsewhere.
  const isTrueAsSigned = ['other op', 'other query', 'cut', 'longer', 'bit of signature'].includes(forgery)
  const pair = forgery === 'other key' || isTrueAsSigned ? keyNamed('nobody') : operatorOf(contract).pair
  if (forgery === 'more tokens' || (forgery === 'other contract' && at.equals(addressOf(contract.key)))) {
    return `forgery skipped for ${short(contract.key)}`
  }
  const signature = pair.sign(cell.hash())
  const known = world.signed.filter((entry) => entry.contract === contract.key)
  const real = known.length > 0 ? dice.pick(known) : null
  const value = attached(0n, dice)
  const from = dice.pick(everyone(world))
  await sendTo(world, dice, contract, from, value, (excesses) => {
    if (real === null || !isTrueAsSigned) return envelopeOf(SIGNED_OPS[kind], queryId, excesses, signature, cell)
    return spoiled(dice, real, excesses, forgery)
  })
  return `forged ${kind} (${forgery}) for ${short(contract.key)} by ${from.name}`
}

/** A true message with something changed. */
function spoiled(dice: Dice, real: SignedEntry, excesses: Actor, how: (typeof FORGERIES)[number]): Cell {
  const { kind, queryId } = real.payload
  const op = SIGNED_OPS[kind]
  const signature = Buffer.from(real.signature)
  switch (how) {
    case 'other op': {
      const others = (Object.keys(SIGNED_OPS) as SignedKind[]).filter((other) => other !== kind)
      return envelopeOf(SIGNED_OPS[dice.pick(others)], queryId, excesses, signature, real.cell)
    }
    case 'other query':
      return envelopeOf(op, (queryId + 1n) % (1n << 64n), excesses, signature, real.cell)
    case 'bit of signature': {
      const at = dice.below(64)
      signature.writeUInt8(signature.readUInt8(at) ^ (1 << dice.below(8)), at)
      return envelopeOf(op, queryId, excesses, signature, real.cell)
    }
    case 'longer':
      return beginCell()
        .storeSlice(envelopeOf(op, queryId, excesses, signature, real.cell).beginParse())
        .storeBit(1)
        .endCell()
    default: {
      const whole = envelopeOf(op, queryId, excesses, signature, real.cell)
      const bits = whole.beginParse().loadBits(dice.below(whole.bits.length))
      return beginCell().storeBits(bits).endCell()
    }
  }
}

/** A true payload with another total under the true signature. */
const inflates: Operation = async (world, dice) => {
  const entries = world.signed.filter((entry) => entry.payload.tokens !== undefined)
  if (entries.length === 0) return 'nothing to inflate'
  const entry = dice.pick(entries)
  const contract = world.contracts.get(entry.contract)
  if (contract === undefined || entry.payload.tokens === undefined) return 'nothing to inflate'
  const tokens = clamp(entry.payload.tokens + 1n + dice.upTo(100_000n))
  if (tokens === entry.payload.tokens) return 'nothing to inflate'
  const cell = signedPayloadCell({ ...entry.payload, tokens })
  const { kind, queryId } = entry.payload
  const from = dice.pick(everyone(world))
  await sendTo(world, dice, contract, from, attached(0n, dice), (excesses) =>
    envelopeOf(SIGNED_OPS[kind], queryId, excesses, entry.signature, cell),
  )
  return `inflated ${kind} for ${short(contract.key)} by ${from.name}`
}

/** What was signed for one contract, sent to another one of the same kind. */
const misdelivers: Operation = async (world, dice) => {
  if (world.signed.length === 0) return 'nothing to send elsewhere'
  const entry = dice.pick(world.signed)
  const kind = world.contracts.get(entry.contract)?.kind
  const others = [...world.contracts.values()].filter((other) => other.kind === kind && other.key !== entry.contract)
  if (others.length === 0) return 'nobody else to send to'
  const contract = dice.pick(others)
  const from = dice.pick(everyone(world))
  await sendTo(world, dice, contract, from, attached(0n, dice), (excesses) => enveloped(entry, excesses))
  return `${entry.payload.kind} for ${short(entry.contract)} to ${short(contract.key)} by ${from.name}`
}

export const SIGNED_OPERATIONS: readonly (readonly [number, Operation])[] = [
  [20, signs('charge', 0.75)],
  [3, signs('grant', 0.7)],
  [18, signs('payout', 0.75)],
  [2, signs('lastPayout', 0.7)],
  [1, signsClose('proxy-close-request')],
  [2, signsClose('proxy-close-complete')],
  [4, misdelivers],
  [10, replays],
  [4, forges],
  [2, inflates],
]
