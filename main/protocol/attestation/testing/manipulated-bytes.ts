import type { AttestationErrorCode } from '../attestation-error.ts'
import type { Evidence } from './synthetic-intel.ts'

/** Bytes that were changed on the way, behind the last signature. */
export interface ManipulatedBytes {
  readonly area: string
  readonly name: string
  readonly code: AttestationErrorCode
  readonly change: (evidence: Evidence) => Pick<Evidence, 'quote' | 'collateral'>
}

/** What becomes of a quote when the first, a middle or the last byte of a region is changed. */
export const regionCodes: Readonly<Record<string, AttestationErrorCode>> = {
  version: 'quote-version-unsupported',
  'key type': 'quote-key-type-unsupported',
  'TEE type': 'quote-not-tdx',
  'header reserved': 'quote-signature-wrong',
  vendor: 'quote-vendor-unknown',
  'user data': 'quote-signature-wrong',
  'body type': 'quote-not-tdx',
  'body length': 'quote-malformed',
  teeTcbSvn: 'quote-signature-wrong',
  mrSeam: 'quote-signature-wrong',
  mrSignerSeam: 'quote-signature-wrong',
  seamAttributes: 'quote-signature-wrong',
  tdAttributes: 'quote-signature-wrong',
  xfam: 'quote-signature-wrong',
  mrTd: 'quote-signature-wrong',
  mrConfigId: 'quote-signature-wrong',
  mrOwner: 'quote-signature-wrong',
  mrOwnerConfig: 'quote-signature-wrong',
  rtmr0: 'quote-signature-wrong',
  rtmr1: 'quote-signature-wrong',
  rtmr2: 'quote-signature-wrong',
  rtmr3: 'quote-signature-wrong',
  reportData: 'quote-signature-wrong',
  teeTcbSvn2: 'quote-signature-wrong',
  mrServiceTd: 'quote-signature-wrong',
  'signature data length': 'quote-malformed',
  'quote signature': 'quote-signature-wrong',
  'attestation key': 'quote-key-not-bound',
  'certification type': 'quote-certification-unsupported',
  'certification length': 'quote-malformed',
  'QE report': 'qe-signature-wrong',
  'QE report signature': 'qe-signature-wrong',
  'QE auth data length': 'quote-certification-unsupported',
  'QE auth data': 'quote-key-not-bound',
  'chain type': 'quote-certification-unsupported',
  'chain length': 'quote-malformed',
  chain: 'chain-malformed',
  padding: 'quote-malformed',
}

const quoteRegions: readonly ManipulatedBytes[] = Object.entries(regionCodes).map(([name, code]) => ({
  area: 'quote bytes',
  name,
  code,
  change: ({ quote, regions, collateral }) => ({ quote: flipped(quote, regions[name]?.[0] ?? -1), collateral }),
}))

type CollateralRow = readonly [
  string,
  AttestationErrorCode,
  (collateral: Evidence['collateral']) => Partial<Evidence['collateral']>,
]
const collateralRows: readonly CollateralRow[] = [
  [
    'TCB info with another date',
    'collateral-signature-wrong',
    ({ tcbInfo }) => ({ tcbInfo: tcbInfo.replace('2024-03', '2025-03') }),
  ],
  [
    'TCB info with an old level made good',
    'collateral-signature-wrong',
    ({ tcbInfo }) => ({ tcbInfo: tcbInfo.replaceAll('OutOfDate', 'UpToDate') }),
  ],
  ['TCB info with a space more', 'collateral-signature-wrong', ({ tcbInfo }) => ({ tcbInfo: `${tcbInfo} ` })],
  ['signature of the TCB info cut', 'collateral-signature-wrong', (c) => ({ tcbInfoSignature: c.tcbInfoSignature.slice(2) })],
  ['signature of the TCB info of zeros', 'collateral-signature-wrong', () => ({ tcbInfoSignature: '00'.repeat(64) })],
  ['signature of the other document', 'collateral-signature-wrong', (c) => ({ tcbInfoSignature: c.qeIdentitySignature })],
  ['QE identity of another signer', 'collateral-signature-wrong', (c) => ({ qeIdentity: c.qeIdentity.replace('DC', 'DD') })],
  ['signature of the QE identity empty', 'collateral-signature-wrong', () => ({ qeIdentitySignature: '' })],
  ['chain of the TCB info empty', 'chain-malformed', () => ({ tcbInfoChain: '' })],
  ['chain of the QE identity cut', 'chain-malformed', (c) => ({ qeIdentityChain: c.qeIdentityChain.slice(0, -40) })],
  [
    'chain with words between',
    'chain-malformed',
    (c) => ({ tcbInfoChain: c.tcbInfoChain.replace('-----\n-----', '-----\nand\n-----') }),
  ],
  ['root list empty', 'crl-malformed', () => ({ rootCrl: new Uint8Array() })],
  ['root list cut', 'crl-malformed', ({ rootCrl }) => ({ rootCrl: rootCrl.subarray(0, -1) })],
  ['root list with a byte more', 'crl-malformed', ({ rootCrl }) => ({ rootCrl: Buffer.concat([rootCrl, Uint8Array.of(0)]) })],
  ['root list changed', 'crl-signature-wrong', ({ rootCrl }) => ({ rootCrl: flipped(rootCrl, rootCrl.length - 1) })],
  ['platforms’ list changed', 'crl-signature-wrong', ({ pckCrl }) => ({ pckCrl: flipped(pckCrl, pckCrl.length - 1) })],
  ['the two lists swapped', 'crl-wrong-issuer', ({ rootCrl, pckCrl }) => ({ rootCrl: pckCrl, pckCrl: rootCrl })],
  ['the root’s list for both', 'crl-wrong-issuer', ({ rootCrl }) => ({ pckCrl: rootCrl })],
]

export const manipulatedBytes: readonly ManipulatedBytes[] = [
  ...quoteRegions,
  ...collateralRows.map(([name, code, change]) => ({
    area: 'collateral bytes',
    name,
    code,
    change: ({ quote, collateral }: Evidence) => ({ quote, collateral: { ...collateral, ...change(collateral) } }),
  })),
]

/** The bytes with the highest bit of one turned. */
export function flipped(bytes: Uint8Array, at: number): Uint8Array {
  const before = bytes[at]
  if (before === undefined) throw new RangeError(`no byte ${at}`)
  const changed = bytes.slice()
  changed[at] = before ^ 0x80
  return changed
}
