import { createHash } from 'node:crypto'
import { Address, Cell, type Transaction } from '@ton/core'
import { LayoutError } from '../../../contracts/cells.ts'
import { clientInit, parseClientState } from '../../../contracts/client.ts'
import { isKnownClientCode } from '../../../contracts/known-codes.ts'
import { parseParams, requireCode, storeParams } from '../../../contracts/params.ts'
import { parseSigned, refuseSigned } from '../../../contracts/signed.ts'
import { type Receipt, receipt as receiptSchema } from '../../../preload/api/receipt.ts'
import { Failure } from '../../base/failure.ts'
import { newestFirst } from '../../base/newest-first.ts'
import type { AccountRecord } from '../../client/account-store.ts'
import type { Multipliers } from '../../protocol/accounting/adjusted-tokens.ts'
import { checkPayment } from '../../protocol/payments/signed-payment.ts'
import type { Chain } from '../../ton/chain.ts'
import { checkAttestation } from './receipt-attestation.ts'
import { checkSeal, type ReceiptSealFault } from './receipt-seal.ts'

export type ReceiptFault =
  | 'receipt-malformed'
  | 'digest-differs'
  | 'parts-differ'
  | 'cost-differs'
  | 'price-differs'
  | 'contract-not-of-this-key'
  | 'signature-missing'
  | 'signature-refused'
  | 'signed-total-differs'
  | 'total-falls'
  | 'not-signed-yet'
  | ReceiptSealFault
  | 'attestation-differs'

const fault = (code: ReceiptFault, message: string, cause?: unknown): Failure<ReceiptFault> =>
  new Failure(code, message, cause === undefined ? {} : { cause })

/** What a receipt proves on its own. Tokens are adjusted totals of the contract. */
export interface ProvenReceipt {
  readonly receipt: Receipt
  readonly contract: Address
  /** 32 bytes: the key whose charges the contract takes. */
  readonly proxyKey: Uint8Array
  /** Hash of the contract's code, hex. */
  readonly codeHash: string
  /** False: the address follows from owner, proxy, key and terms, but what a contract of this code does is not known. */
  readonly isCodeKnown: boolean
  readonly signedTokens: bigint
  readonly totalAfter: bigint
}

/** SHA-256 of a receipt without its digest; names in the order of the alphabet, so that their order in a file does not matter. */
export function digestOf({ digest: _, ...rest }: Omit<Receipt, 'digest'> & { readonly digest?: string }): string {
  return createHash('sha256').update(canonical(rest)).digest('hex')
}

function canonical(value: unknown): string {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null'
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`
  const entries = Object.entries(value).filter(([, one]) => one !== undefined)
  const sorted = entries.sort(([a], [b]) => (a < b ? -1 : 1))
  return `{${sorted.map(([name, one]) => `${JSON.stringify(name)}:${canonical(one)}`).join(',')}}`
}

export const paramsText = (params: AccountRecord['params']): string => storeParams(params, 'root').toBoc().toString('base64')

/**
 * Verifies a receipt without any network: that its sums are right, that the contract is that of this key, that the key signed, and that the signed total
 * covers this answer. That the contract takes charges from this key and no other follows where its code is known. It does not prove what was asked or
 * answered: only totals are signed; nor that owner, proxy and terms belong to the network that the file names: no signature says so.
 * @param json from anywhere
 * @throws Failure with a `ReceiptFault`
 */
export function verifyReceipt(json: unknown): ProvenReceipt {
  const parsed = receiptSchema.safeParse(json)
  if (!parsed.success)
    throw fault('receipt-malformed', 'This is no receipt, or a field of it is missing or malformed.', parsed.error)
  const receipt = parsed.data
  if (digestOf(receipt) !== receipt.digest) throw fault('digest-differs', 'A field was changed after the receipt was written.')
  const { tokens, contract: named, signed } = receipt
  const total = BigInt(tokens.total)
  const parts = [tokens.prompt, tokens.cached, tokens.completion, tokens.reasoning].reduce((sum, part) => sum + BigInt(part), 0n)
  if (parts !== total) throw fault('parts-differ', 'The tokens are not the sum of their parts.')
  if (total * BigInt(receipt.pricePerToken) !== BigInt(receipt.cost))
    throw fault('cost-differs', 'The cost is not tokens times price.')
  const { contract, pricePerToken, multipliers, code } = contractOf(named)
  if (pricePerToken !== BigInt(receipt.pricePerToken))
    throw fault('price-differs', 'The price is not that of the contract’s terms.')
  checkSeal(receipt, multipliers)
  checkAttestation(receipt)
  const totalAfter = BigInt(receipt.totalAfter)
  if (totalAfter < total) throw fault('total-falls', 'The total after the answer is less than the answer itself.')
  if (signed === null)
    throw fault('signature-missing', 'The proxy had signed nothing when this receipt was saved. Save it again later.')
  const proxyKey = new Uint8Array(Buffer.from(named.proxyKey, 'hex'))
  const check = checkPayment(
    { '@type': 'proxy.signedPayment', data: new Uint8Array(Buffer.from(signed.boc, 'base64')) },
    { kind: 'client-charge', contract, publicKey: proxyKey },
  )
  if (check.state !== 'good')
    throw fault('signature-refused', `The signed payment is not good: ${check.state === 'refused' ? check.reason : 'empty'}.`)
  if (check.tokens !== BigInt(signed.tokens))
    throw fault('signed-total-differs', 'The signed total is not the one that the receipt names.')
  if (check.tokens < totalAfter)
    throw fault('not-signed-yet', 'The signed total does not cover this answer yet. Save the receipt again later.')
  const about = { codeHash: code.hash().toString('hex'), isCodeKnown: isKnownClientCode(code) }
  return { receipt, contract, proxyKey, ...about, signedTokens: check.tokens, totalAfter }
}

/** The address follows from owner, proxy, key and terms, the code among them. */
function contractOf(named: Receipt['contract']): {
  contract: Address
  pricePerToken: bigint
  multipliers: Multipliers
  code: Cell
} {
  try {
    const [cell] = Cell.fromBoc(Buffer.from(named.params, 'base64'))
    if (cell === undefined) throw new TypeError('no cell')
    const params = parseParams(cell)
    const identity = {
      owner: Address.parse(named.owner),
      proxy: Address.parse(named.proxy),
      publicKey: new Uint8Array(Buffer.from(named.proxyKey, 'hex')),
      params,
    }
    const contract = Address.parse(named.address)
    if (!clientInit(identity).address.equals(contract)) throw new TypeError('another address')
    const { pricePerToken, multipliers } = params
    return { contract, pricePerToken, multipliers, code: requireCode(params, 'client') }
  } catch (thrown) {
    throw fault('contract-not-of-this-key', 'The contract is not that of this owner, proxy, key and terms.', thrown)
  }
}

export interface FoundCharge {
  /** hex */
  readonly transaction: string
  readonly timeMs: number
  /** Total that this charge brought the contract to. */
  readonly tokens: bigint
}

/** What the chain is asked for, of a receipt. */
export type SoughtCharge = Pick<ProvenReceipt, 'contract' | 'proxyKey' | 'totalAfter'>

/**
 * The first charge on chain that covers a receipt; null while none does. Throws as `Chain`, or a `Failure` `root-malformed` when the contract cannot be
 * read.
 */
export async function findCharge(
  chain: Pick<Chain, 'account' | 'transactions'>,
  sought: SoughtCharge,
): Promise<FoundCharge | null> {
  const { contract, totalAfter } = sought
  const { data } = await chain.account(contract)
  if (data === null || parseClientState(data).tokensUsed < totalAfter) return null
  let found: FoundCharge | null = null
  for await (const transaction of newestFirst(chain, contract)) {
    const tokens = chargedBy(transaction, sought)
    if (tokens === undefined) continue
    if (tokens < totalAfter) break
    found = { transaction: transaction.hash().toString('hex'), timeMs: transaction.now * 1000, tokens }
  }
  return found
}

/**
 * The total that a transaction brought the contract to; undefined where it charged nothing. Anybody can send a message that looks like a charge: only
 * one that the contract carried out, with the signature that it asks for, is one. A granted refund charges too (`contracts/client.tolk`).
 */
function chargedBy({ description, inMessage }: Transaction, { contract, proxyKey }: SoughtCharge): bigint | undefined {
  if (description.type !== 'generic' || description.aborted || !inMessage) return undefined
  try {
    const message = parseSigned(inMessage.body)
    const reason = refuseSigned(message, { kinds: ['client-charge', 'client-grant-refund'], contract, publicKey: proxyKey })
    return reason === null ? message.payload.tokens : undefined
  } catch (thrown) {
    // Any other message to the contract.
    if (thrown instanceof LayoutError) return undefined
    throw thrown
  }
}
