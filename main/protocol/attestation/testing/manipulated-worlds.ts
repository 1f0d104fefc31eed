import { generateKeyPairSync } from 'node:crypto'
import type { AttestationErrorCode } from '../attestation-error.ts'
import { iso, keys, type World } from './synthetic-intel.ts'

/** Something that somebody with the right keys signed, which must be refused all the same; or signed with the wrong ones. */
export interface ManipulatedWorld {
  readonly area: string
  readonly name: string
  readonly code: AttestationErrorCode
  readonly change: (world: World) => void
}

const dayMs = 86_400_000
const stranger = keys.stranger.privateKey
const otherCurve = generateKeyPairSync('ec', { namedCurve: 'P-384' })
const set = (bytes: Uint8Array, at: number, value: number): Uint8Array => {
  const changed = bytes.slice()
  changed[at] = value
  return changed
}
const level = (world: World): World['tcbInfo']['tcbLevels'][number] => first(world.tcbInfo.tcbLevels)
const moduleIdentity = (world: World) => first(world.tcbInfo.tdxModuleIdentities)

type Row = readonly [name: string, code: AttestationErrorCode, change: (world: World) => void]
const table = (area: string, rows: readonly Row[]): ManipulatedWorld[] =>
  rows.map(([name, code, change]) => ({ area, name, code, change }))

const header = table('header', [
  ['version 3', 'quote-version-unsupported', ({ quote }) => Object.assign(quote, { version: 3 })],
  ['version 6', 'quote-version-unsupported', ({ quote }) => Object.assign(quote, { version: 6 })],
  ['an SGX enclave', 'quote-not-tdx', ({ quote }) => Object.assign(quote, { teeType: 0 })],
  ['an unknown TEE', 'quote-not-tdx', ({ quote }) => Object.assign(quote, { teeType: 0x82 })],
  ['an SGX enclave in a quote of version 5', 'quote-not-tdx', (w) => newer(w, { writtenBody: { type: 1, length: 584 } })],
  ['a body of unknown type', 'quote-not-tdx', (w) => newer(w, { writtenBody: { type: 4, length: 584 } })],
  ['a length of the body that its type has not', 'quote-malformed', (w) => newer(w, { writtenBody: { type: 2, length: 648 } })],
  ['ECDSA over P-384', 'quote-key-type-unsupported', ({ quote }) => Object.assign(quote, { keyType: 3 })],
  ['a vendor that is not Intel', 'quote-vendor-unknown', ({ quote }) => Object.assign(quote, { vendorId: new Uint8Array(16) })],
  [
    'certification data of the old form',
    'quote-certification-unsupported',
    ({ quote }) => Object.assign(quote, { outerType: 5 }),
  ],
  ['an encrypted PPID for the chain', 'quote-certification-unsupported', ({ quote }) => Object.assign(quote, { innerType: 3 })],
  ['bytes behind the quote', 'quote-malformed', ({ quote }) => Object.assign(quote, { padding: Uint8Array.of(0, 0, 1) })],
])

const body = table('body', [
  ['a debug machine', 'quote-debug', (w) => attributes(w, 0, 0x01)],
  ['a machine under profiling', 'quote-debug', (w) => attributes(w, 0, 0x10)],
  ['SEPT_VE_DISABLE left out', 'quote-attributes-not-allowed', (w) => attributes(w, 3, 0)],
  ['a machine that may migrate', 'quote-attributes-not-allowed', (w) => attributes(w, 3, 0x30)],
  ['an unknown attribute', 'quote-attributes-not-allowed', (w) => attributes(w, 5, 0x01)],
  [
    'a service that may move the machine',
    'quote-attributes-not-allowed',
    (w) => newer(w, { bodyType: 'tdx-1.5', mrServiceTd: new Uint8Array(48).fill(1) }),
  ],
])

const signatures = table('signatures', [
  ['a quote signed by a stranger', 'quote-signature-wrong', ({ quote }) => Object.assign(quote, { quoteSigner: stranger })],
  [
    'an attestation key that the quoting enclave did not make',
    'quote-key-not-bound',
    ({ quote }) => Object.assign(quote, { qeReportData: new Uint8Array(64).fill(7) }),
  ],
  [
    'another key under the old report',
    'quote-key-not-bound',
    ({ quote }) => {
      quote.qeReportData = new Uint8Array(64)
      quote.attestationKey = keys.stranger
    },
  ],
  ['a QE report signed by a stranger', 'qe-signature-wrong', ({ quote }) => Object.assign(quote, { qeReportSigner: stranger })],
  [
    'a QE report signed by Intel’s authority',
    'qe-signature-wrong',
    ({ quote }) => Object.assign(quote, { qeReportSigner: keys.authority.privateKey }),
  ],
])

const enclave = table('quoting enclave', [
  ['a debug enclave', 'qe-debug', ({ quote }) => Object.assign(quote.qe, { attributes: set(quote.qe.attributes, 0, 0x13) })],
  ['another signer', 'qe-not-recognized', ({ quote }) => Object.assign(quote.qe, { mrSigner: new Uint8Array(32).fill(1) })],
  ['another product', 'qe-not-recognized', ({ quote }) => Object.assign(quote.qe, { isvProdId: 1 })],
  ['another MISCSELECT', 'qe-not-recognized', ({ quote }) => Object.assign(quote.qe, { miscSelect: Uint8Array.of(1, 0, 0, 0) })],
  [
    'other attributes',
    'qe-not-recognized',
    ({ quote }) => Object.assign(quote.qe, { attributes: set(quote.qe.attributes, 1, 1) }),
  ],
  ['an old version', 'tcb-out-of-date', ({ quote }) => Object.assign(quote.qe, { isvSvn: 5 })],
  ['a version older than all', 'tcb-not-listed', ({ quote }) => Object.assign(quote.qe, { isvSvn: 3 })],
  ['a revoked version', 'tcb-revoked', ({ qeIdentity }) => Object.assign(first(qeIdentity.tcbLevels), { tcbStatus: 'Revoked' })],
])

const module = table('TDX module', [
  [
    'a generation that Intel does not list',
    'tdx-module-not-recognized',
    ({ quote }) => Object.assign(quote, { teeTcbSvn: set(quote.teeTcbSvn, 1, 7) }),
  ],
  [
    'another signer',
    'tdx-module-not-recognized',
    ({ quote }) => Object.assign(quote, { mrSignerSeam: new Uint8Array(48).fill(1) }),
  ],
  [
    'other attributes',
    'tdx-module-not-recognized',
    ({ quote }) => Object.assign(quote, { seamAttributes: new Uint8Array(8).fill(1) }),
  ],
  [
    'another signer of the first generation',
    'tdx-module-not-recognized',
    ({ quote }) => {
      quote.teeTcbSvn = set(quote.teeTcbSvn, 1, 0)
      quote.mrSignerSeam = new Uint8Array(48).fill(1)
    },
  ],
  ['an old version', 'tcb-out-of-date', ({ quote }) => Object.assign(quote, { teeTcbSvn: set(quote.teeTcbSvn, 0, 4) })],
  ['a version older than all', 'tcb-not-listed', ({ quote }) => Object.assign(quote, { teeTcbSvn: set(quote.teeTcbSvn, 0, 1) })],
  ['a revoked version', 'tcb-revoked', (w) => Object.assign(first(moduleIdentity(w).tcbLevels), { tcbStatus: 'Revoked' })],
])

const platform = table('platform', [
  ['old microcode', 'tcb-out-of-date', ({ platform: p }) => p.cpuSvn.splice(0, 1, 2)],
  ['old firmware', 'tcb-not-listed', ({ platform: p }) => p.cpuSvn.splice(7, 1, 4)],
  ['an old provisioning enclave', 'tcb-out-of-date', ({ platform: p }) => Object.assign(p, { pceSvn: 10 })],
  ['older than all', 'tcb-not-listed', ({ platform: p }) => Object.assign(p, { pceSvn: 1 })],
  ['old TDX microcode', 'tcb-out-of-date', ({ quote }) => Object.assign(quote, { teeTcbSvn: set(quote.teeTcbSvn, 2, 2) })],
  [
    'an old module of the first generation',
    'tcb-out-of-date',
    ({ quote }) => Object.assign(quote, { teeTcbSvn: Uint8Array.of(4, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0) }),
  ],
  [
    'another model of processor',
    'collateral-not-for-this-platform',
    ({ tcbInfo }) => Object.assign(tcbInfo, { fmspc: '00906ED50000' }),
  ],
  [
    'another provisioning enclave',
    'collateral-not-for-this-platform',
    ({ tcbInfo }) => Object.assign(tcbInfo, { pceId: '0001' }),
  ],
  ['software to be hardened', 'tcb-hardening-needed', (w) => Object.assign(level(w), { tcbStatus: 'SWHardeningNeeded' })],
  ['a configuration needed', 'tcb-configuration-needed', (w) => Object.assign(level(w), { tcbStatus: 'ConfigurationNeeded' })],
  [
    'configuration and hardening needed',
    'tcb-configuration-and-hardening-needed',
    (w) => Object.assign(level(w), { tcbStatus: 'ConfigurationAndSWHardeningNeeded' }),
  ],
  ['out of date', 'tcb-out-of-date', (w) => Object.assign(level(w), { tcbStatus: 'OutOfDate' })],
  [
    'out of date, configuration needed',
    'tcb-out-of-date-and-configuration-needed',
    (w) => Object.assign(level(w), { tcbStatus: 'OutOfDateConfigurationNeeded' }),
  ],
  ['revoked', 'tcb-revoked', (w) => Object.assign(level(w), { tcbStatus: 'Revoked' })],
  ['a state nobody knows', 'tcb-status-unknown', (w) => Object.assign(level(w), { tcbStatus: 'uptodate' })],
])

const chain = table('chain', [
  ['the platform signed by a stranger', 'chain-broken', ({ pck }) => Object.assign(pck, { signer: stranger })],
  ['the authority signed by a stranger', 'chain-broken', ({ authority }) => Object.assign(authority, { signer: stranger })],
  ['the root signed by a stranger', 'chain-broken', ({ root }) => Object.assign(root, { signer: stranger })],
  [
    'the platform naming another issuer',
    'chain-broken',
    ({ pck }) => Object.assign(pck, { issuerName: 'Intel SGX PCK Processor CA' }),
  ],
  [
    'a root of its own',
    'root-not-trusted',
    ({ root, authority, signing, rootCrl }) => {
      Object.assign(root, { publicKey: keys.stranger.publicKey, signer: stranger })
      for (const signed of [authority, signing, rootCrl]) signed.signer = stranger
    },
  ],
  ['a platform that has expired', 'chain-expired', (w) => Object.assign(w.pck, { notAfterMs: w.nowMs - 1000 })],
  ['a platform of tomorrow', 'chain-not-yet-valid', (w) => Object.assign(w.pck, { notBeforeMs: w.nowMs + dayMs })],
  ['an authority that has expired', 'chain-expired', (w) => Object.assign(w.authority, { notAfterMs: w.nowMs - 1000 })],
  ['a root that has expired', 'chain-expired', (w) => Object.assign(w.root, { notAfterMs: w.nowMs - 1000 })],
  ['a signer of collateral that has expired', 'chain-expired', (w) => Object.assign(w.signing, { notAfterMs: w.nowMs - 1000 })],
  [
    'an authority that is none',
    'chain-wrong-purpose',
    ({ authority }) => Object.assign(authority, { isAuthority: false, pathLength: undefined }),
  ],
  ['an authority that may not certify', 'chain-wrong-purpose', ({ authority }) => Object.assign(authority, { keyUsage: 0x02 })],
  ['a root without room for an authority', 'chain-wrong-purpose', ({ root }) => Object.assign(root, { pathLength: 0 })],
  ['a platform that is an authority', 'chain-wrong-purpose', ({ pck }) => Object.assign(pck, { isAuthority: true })],
  ['a platform that may not sign', 'chain-wrong-purpose', ({ pck }) => Object.assign(pck, { keyUsage: 0x04 })],
  [
    'a certificate for another task',
    'chain-wrong-purpose',
    ({ pck }) => Object.assign(pck, { commonName: 'Intel SGX TCB Signing' }),
  ],
  [
    'a name with something behind it',
    'chain-wrong-purpose',
    ({ pck }) => Object.assign(pck, { commonName: 'Intel SGX PCK Certificate 2' }),
  ],
  ['no authority', 'chain-malformed', ({ chains }) => chains.pck.splice(1, 1)],
  ['no root', 'chain-malformed', ({ chains }) => chains.pck.splice(2, 1)],
  ['a certificate too many', 'chain-malformed', ({ chains }) => chains.pck.push('root')],
  ['certificates in another order', 'chain-malformed', ({ chains }) => chains.pck.reverse()],
  ['no certificates', 'chain-malformed', ({ quote }) => Object.assign(quote, { pckChain: '\n' })],
  ['text that is no certificate', 'chain-malformed', ({ quote }) => Object.assign(quote, { pckChain: 'certificate' })],
  [
    'an unknown critical extension',
    'chain-malformed',
    ({ pck }) => pck.extensions.push({ oid: '1.2.3.4', critical: true, value: Uint8Array.of(5, 0) }),
  ],
  ['a key of another curve', 'chain-malformed', ({ pck }) => Object.assign(pck, { publicKey: otherCurve.publicKey })],
  [
    'a platform that does not say what it is',
    'chain-malformed',
    (w) => Object.assign(w, { sgxExtension: { oid: '1.2.3.5', critical: false, value: Uint8Array.of(5, 0) } }),
  ],
  [
    'a platform that says it in another form',
    'chain-malformed',
    (w) => Object.assign(w, { sgxExtension: { oid: '1.2.840.113741.1.13.1', critical: false, value: Uint8Array.of(5, 0) } }),
  ],
])

const lists = table('revocation lists', [
  ['a revoked platform', 'chain-revoked', ({ pck, pckCrl }) => pckCrl.revoked.push(pck.serial)],
  ['a revoked authority', 'chain-revoked', ({ authority, rootCrl }) => rootCrl.revoked.push(authority.serial)],
  ['a revoked signer of collateral', 'chain-revoked', ({ signing, rootCrl }) => rootCrl.revoked.push(signing.serial)],
  ['a revoked root', 'chain-revoked', ({ root, rootCrl }) => rootCrl.revoked.push(root.serial)],
  [
    'the platforms’ list signed by a stranger',
    'crl-signature-wrong',
    ({ pckCrl }) => Object.assign(pckCrl, { signer: stranger }),
  ],
  ['the root’s list signed by a stranger', 'crl-signature-wrong', ({ rootCrl }) => Object.assign(rootCrl, { signer: stranger })],
  ['a list of another issuer', 'crl-wrong-issuer', ({ pckCrl }) => Object.assign(pckCrl, { issuerName: 'Intel SGX Root CA' })],
  ['an issuer that may not sign lists', 'crl-wrong-issuer', ({ authority }) => Object.assign(authority, { keyUsage: 0x04 })],
  ['the platforms’ list has expired', 'collateral-expired', (w) => Object.assign(w.pckCrl, { nextUpdateMs: w.nowMs - 1000 })],
  ['the root’s list has expired', 'collateral-expired', (w) => Object.assign(w.rootCrl, { nextUpdateMs: w.nowMs - 1000 })],
  ['a list of tomorrow', 'collateral-not-yet-valid', (w) => Object.assign(w.pckCrl, { issuedAtMs: w.nowMs + dayMs })],
  [
    'an unknown critical extension',
    'crl-malformed',
    // The mark of a list that holds only what changed.
    ({ pckCrl }) => pckCrl.extensions.push({ oid: '2.5.29.27', critical: true, value: Uint8Array.of(2, 1, 0) }),
  ],
])

const tcbInfo = table('TCB info', [
  ['signed by a stranger', 'collateral-signature-wrong', (w) => Object.assign(w, { tcbInfoSigner: stranger })],
  ['signed by the platform', 'collateral-signature-wrong', (w) => Object.assign(w, { tcbInfoSigner: keys.pck.privateKey })],
  ['signed by a certificate for platforms', 'chain-malformed', ({ chains }) => Object.assign(chains, { tcbInfo: chains.pck })],
  [
    'signed by an authority',
    'chain-wrong-purpose',
    (w) => {
      w.chains.tcbInfo = ['authority', 'root']
      w.tcbInfoSigner = keys.authority.privateKey
    },
  ],
  ['without a root', 'chain-malformed', ({ chains }) => chains.tcbInfo.pop()],
  ['about SGX', 'collateral-malformed', ({ tcbInfo: t }) => Object.assign(t, { id: 'SGX' })],
  ['of version 2', 'collateral-malformed', ({ tcbInfo: t }) => Object.assign(t, { version: 2 })],
  ['of another type', 'collateral-malformed', ({ tcbInfo: t }) => Object.assign(t, { tcbType: 1 })],
  ['without levels', 'collateral-malformed', ({ tcbInfo: t }) => t.tcbLevels.splice(0)],
  ['with a component too few', 'collateral-malformed', (w) => level(w).tcb.sgxtcbcomponents.pop()],
  ['without a date', 'collateral-malformed', ({ tcbInfo: t }) => Object.assign(t, { nextUpdate: 'never' })],
  ['that has expired', 'collateral-expired', (w) => Object.assign(w.tcbInfo, { nextUpdate: iso(w.nowMs - 1000) })],
  ['of tomorrow', 'collateral-not-yet-valid', (w) => Object.assign(w.tcbInfo, { issueDate: iso(w.nowMs + dayMs) })],
])

const qeIdentity = table('QE identity', [
  ['signed by a stranger', 'collateral-signature-wrong', (w) => Object.assign(w, { qeIdentitySigner: stranger })],
  ['signed by a certificate for platforms', 'chain-malformed', ({ chains }) => Object.assign(chains, { qeIdentity: chains.pck })],
  ['of the enclave for SGX', 'collateral-malformed', ({ qeIdentity: q }) => Object.assign(q, { id: 'QE' })],
  ['of version 1', 'collateral-malformed', ({ qeIdentity: q }) => Object.assign(q, { version: 1 })],
  ['without levels', 'collateral-malformed', ({ qeIdentity: q }) => q.tcbLevels.splice(0)],
  ['that has expired', 'collateral-expired', (w) => Object.assign(w.qeIdentity, { nextUpdate: iso(w.nowMs - 1000) })],
  ['of tomorrow', 'collateral-not-yet-valid', (w) => Object.assign(w.qeIdentity, { issueDate: iso(w.nowMs + dayMs) })],
])

export const manipulatedWorlds: readonly ManipulatedWorld[] = [
  ...header,
  ...body,
  ...signatures,
  ...enclave,
  ...module,
  ...platform,
  ...chain,
  ...lists,
  ...tcbInfo,
  ...qeIdentity,
]

function newer(world: World, change: Partial<World['quote']>): void {
  Object.assign(world.quote, { version: 5, ...change })
}

function attributes(world: World, at: number, value: number): void {
  world.quote.tdAttributes = set(world.quote.tdAttributes, at, value)
}

function first<T>([item]: readonly T[]): T {
  if (item === undefined) throw new TypeError('an empty list')
  return item
}
