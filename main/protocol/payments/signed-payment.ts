import type { Address } from '@ton/core'
import { LayoutError } from '../../../contracts/cells.ts'
import { parseSigned, refuseSigned, type SignedMessage, type SignedRefusal } from '../../../contracts/signed.ts'
import type { TlObject } from '../tl/types.ts'

/** A signed payment on the wire. */
export type WirePayment = TlObject<'proxy.signedPayment' | 'proxy.signedPaymentEmpty'>

export type PaymentCheck =
  | { readonly state: 'empty' }
  | { readonly state: 'refused'; readonly reason: SignedRefusal | 'layout' }
  /** `tokens` is the total since the contract began; `boc` the message body as it came. */
  | { readonly state: 'good'; readonly tokens: bigint; readonly message: SignedMessage; readonly boc: Uint8Array }

/** Honest ones have about 200 bytes. */
const mostPaymentBytes = 4_096

/**
 * Checks a signed payment from a proxy: layout, kind (a client takes only charges, a worker only payouts), own contract, signature by the
 * proxy's key (protocol 60 §4). Never throws for bad input.
 */
export function checkPayment(
  payment: WirePayment,
  expected: { readonly kind: 'client-charge' | 'worker-payout'; readonly contract: Address; readonly publicKey: Uint8Array },
): PaymentCheck {
  if (payment['@type'] === 'proxy.signedPaymentEmpty') return { state: 'empty' }
  // A signed payment has two small cells. Bags of thousands take long to read.
  if (payment.data.length > mostPaymentBytes) return { state: 'refused', reason: 'layout' }
  let message: SignedMessage
  try {
    message = parseSigned(payment.data)
  } catch (thrown) {
    if (thrown instanceof LayoutError) return { state: 'refused', reason: 'layout' }
    throw thrown
  }
  const reason = refuseSigned(message, { kinds: [expected.kind], contract: expected.contract, publicKey: expected.publicKey })
  if (reason !== null) return { state: 'refused', reason }
  if (message.payload.tokens === undefined) return { state: 'refused', reason: 'kind' }
  return { state: 'good', tokens: message.payload.tokens, message, boc: payment.data.slice() }
}

/**
 * Checks the payments of one contract. A proxy shows the same payment with every request until more is final: bytes that were good once
 * are not parsed and verified again.
 */
export function paymentChecker(expected: Parameters<typeof checkPayment>[1]): (payment: WirePayment) => PaymentCheck {
  let good: (PaymentCheck & { readonly state: 'good' }) | undefined
  return (payment) => {
    if (good !== undefined && payment['@type'] === 'proxy.signedPayment' && Buffer.compare(payment.data, good.boc) === 0)
      return good
    const check = checkPayment(payment, expected)
    if (check.state === 'good') good = check
    return check
  }
}
