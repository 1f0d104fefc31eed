import { createHash } from 'node:crypto'
import type { Receipt } from '../../../preload/api/receipt.ts'
import { Failure } from '../../base/failure.ts'
import { imageHash } from '../../protocol/attestation/image-hash.ts'
import { readQuote } from '../../protocol/attestation/quote.ts'
import { readKeyHex } from '../../protocol/sealed/direct/worker-key.ts'

const differs = (cause?: unknown): Failure<'attestation-differs'> =>
  new Failure(
    'attestation-differs',
    'The attestation of the receipt is not for the keys or images that it names.',
    cause === undefined ? {} : { cause },
  )

/**
 * Verifies what a receipt says of attestation, as far as a file without collateral allows: each quote was made for the key that is named, and has the
 * image hash that is named. Whether the quotes hold is in the evidence of the sheet, which has their collateral.
 * @throws Failure `attestation-differs`
 */
export function checkAttestation({ attestation, seal }: Receipt): void {
  if (attestation === 'none') return
  const { proxy, worker } = attestation
  const key = seal?.scheme === 'direct' ? keyOf(seal.worker.signedKey) : undefined
  if (key?.quote === undefined) throw differs()
  const isOf = (quote: Uint8Array, bytes: Uint8Array, image: string): boolean => {
    const { measured } = measuredOf(quote)
    const reportData = createHash('sha512').update(bytes).digest()
    return reportData.equals(measured.reportData) && Buffer.from(imageHash(measured)).toString('hex') === image
  }
  const proxyQuote = new Uint8Array(Buffer.from(proxy.quote, 'base64'))
  const fits =
    isOf(proxyQuote, Buffer.from(proxy.tlsKey, 'hex'), proxy.imageHash) && isOf(key.quote, key.statement, worker.imageHash)
  if (!fits) throw differs()
}

function keyOf(signedKey: string) {
  try {
    return readKeyHex(signedKey)
  } catch (thrown) {
    throw differs(thrown)
  }
}

function measuredOf(quote: Uint8Array) {
  try {
    return readQuote(quote).body
  } catch (thrown) {
    throw differs(thrown)
  }
}

/** What a receipt says of the machines, for a person; none of it is proven by the file alone. */
export function attestationLines({ attestation }: Receipt): string[] {
  if (attestation === 'none') return ['  What machine answered: its attestation is “none”.']
  const { proxy, worker, listed } = attestation
  const about = (part: string, { imageHash: image, collateral }: typeof worker): string =>
    `    ${part}: image ${image}, collateral ${collateral.digest}, good until ${new Date(collateral.expiresAtMs).toISOString()}`
  const block = listed.block === undefined ? '' : `, block ${listed.block}`
  return [
    `  What machines answered: the receipt holds a TDX quote for the proxy’s key ${proxy.tlsKey} and one for the worker’s sealing key, with the images below. That they held, and`,
    `  that the network contract listed them (read at ${new Date(listed.readAtMs).toISOString()}${block}), is the word of the computer that wrote the file: “Save as JSON” of the sheet has the collateral.`,
    about('proxy', proxy),
    about('worker', worker),
  ]
}
