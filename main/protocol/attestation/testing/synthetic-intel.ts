import { createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto'
import type { Collateral } from '../collateral.ts'
import { rootKeyHash } from '../intel-certificate.ts'
import { type CertificateRecipe, type ListRecipe, makeCertificate, makeList, pem, sgxExtension } from './synthetic-certificate.ts'
import { makeQuote, pointOf, type QuoteRecipe, type Regions, signRaw } from './synthetic-quote.ts'

/** A world of its own in the place of Intel's: root, authority, platform, signer of collateral, lists, quoting enclave, machine. */
export interface World {
  nowMs: number
  root: CertificateRecipe
  authority: CertificateRecipe
  pck: CertificateRecipe
  signing: CertificateRecipe
  platform: { fmspc: string; pceId: string; pceSvn: number; cpuSvn: number[] }
  /** Another SGX extension in the platform's certificate; the one of `platform`, unless given. */
  sgxExtension: CertificateRecipe['extensions'][number] | undefined
  tcbInfo: TcbInfoJson
  qeIdentity: QeIdentityJson
  tcbInfoSigner: KeyObject
  qeIdentitySigner: KeyObject
  rootCrl: ListRecipe
  pckCrl: ListRecipe
  quote: QuoteRecipe
  /** Order and number of the certificates in the three chains. */
  chains: { pck: Part[]; tcbInfo: Part[]; qeIdentity: Part[] }
}

type Part = 'root' | 'authority' | 'pck' | 'signing'

interface LevelJson {
  tcbDate: string
  tcbStatus: string
  advisoryIDs?: string[]
}
export interface TcbInfoJson {
  id: string
  version: number
  issueDate: string
  nextUpdate: string
  fmspc: string
  pceId: string
  tcbType: number
  tcbEvaluationDataNumber: number
  tdxModule: ModuleJson
  tdxModuleIdentities: (ModuleJson & { id: string; tcbLevels: (LevelJson & { tcb: { isvsvn: number } })[] })[]
  tcbLevels: (LevelJson & { tcb: { sgxtcbcomponents: { svn: number }[]; pcesvn: number; tdxtcbcomponents: { svn: number }[] } })[]
}
interface ModuleJson {
  mrsigner: string
  attributes: string
  attributesMask: string
}
export interface QeIdentityJson {
  id: string
  version: number
  issueDate: string
  nextUpdate: string
  tcbEvaluationDataNumber: number
  miscselect: string
  miscselectMask: string
  attributes: string
  attributesMask: string
  mrsigner: string
  isvprodid: number
  tcbLevels: (LevelJson & { tcb: { isvsvn: number } })[]
}

/** What a verifier gets. */
export interface Evidence {
  readonly nowMs: number
  readonly quote: Uint8Array
  readonly regions: Regions
  readonly collateral: Collateral
  readonly roots: readonly Uint8Array[]
  /** The certificates as DER. */
  readonly certificates: Readonly<Record<Part, Uint8Array>>
}

const dayMs = 86_400_000
/** 2026-11-22T12:00:00Z */
export const syntheticNowMs = 1_795_348_800_000

interface Pair {
  readonly publicKey: KeyObject
  readonly privateKey: KeyObject
}
const newPair = (): Pair => generateKeyPairSync('ec', { namedCurve: 'P-256' })
/** The keys of the synthetic world, the same as long as the process lives. `stranger` belongs to nobody. */
export const keys = {
  root: newPair(),
  authority: newPair(),
  pck: newPair(),
  signing: newPair(),
  attestation: newPair(),
  stranger: newPair(),
}

/** Names that the chains of Intel have (the verifier asks for them). */
const names = {
  root: 'Intel SGX Root CA',
  authority: 'Intel SGX PCK Platform CA',
  pck: 'Intel SGX PCK Certificate',
  signing: 'Intel SGX TCB Signing',
}
const usage = { sign: 0xc0, certify: 0x06 }

/** A world in which everything is good, as a fresh copy: change what should be otherwise, then `makeEvidence`. */
export function goodWorld(nowMs = syntheticNowMs): World {
  const issueDate = iso(nowMs - dayMs)
  const nextUpdate = iso(nowMs + 29 * dayMs)
  return {
    nowMs,
    root: certificate(nowMs, 'root', 'root', { isAuthority: true, pathLength: 1, keyUsage: usage.certify }),
    authority: certificate(nowMs, 'authority', 'root', { isAuthority: true, pathLength: 0, keyUsage: usage.certify }),
    pck: certificate(nowMs, 'pck', 'authority', { isAuthority: false, pathLength: undefined, keyUsage: usage.sign }),
    signing: certificate(nowMs, 'signing', 'root', { isAuthority: false, pathLength: undefined, keyUsage: usage.sign }),
    platform: { fmspc: 'b0c06f000000', pceId: '0000', pceSvn: 13, cpuSvn: [3, 3, 2, 2, 4, 1, 0, 5, 0, 0, 0, 0, 0, 0, 0, 0] },
    sgxExtension: undefined,
    tcbInfo: goodTcbInfo(issueDate, nextUpdate),
    qeIdentity: goodQeIdentity(issueDate, nextUpdate),
    tcbInfoSigner: keys.signing.privateKey,
    qeIdentitySigner: keys.signing.privateKey,
    rootCrl: list(nowMs, 'root', 300),
    pckCrl: list(nowMs, 'authority', 28),
    quote: goodQuote(),
    chains: { pck: ['pck', 'authority', 'root'], tcbInfo: ['signing', 'root'], qeIdentity: ['signing', 'root'] },
  }
}

/** Signs and writes everything. */
export function makeEvidence(world: World): Evidence {
  const extension = world.sgxExtension ?? sgxExtension(world.platform)
  const certificates = {
    root: makeCertificate(world.root),
    authority: makeCertificate(world.authority),
    pck: makeCertificate({ ...world.pck, extensions: [...world.pck.extensions, extension] }),
    signing: makeCertificate(world.signing),
  }
  const chain = (parts: readonly Part[]): string => parts.map((part) => pem(certificates[part])).join('')
  const tcbInfo = JSON.stringify(world.tcbInfo)
  const qeIdentity = JSON.stringify(world.qeIdentity)
  const quote = makeQuote({ ...world.quote, pckChain: world.quote.pckChain || chain(world.chains.pck) })
  return {
    nowMs: world.nowMs,
    quote: quote.bytes,
    regions: quote.regions,
    collateral: {
      tcbInfo,
      tcbInfoSignature: Buffer.from(signRaw(Buffer.from(tcbInfo), world.tcbInfoSigner)).toString('hex'),
      tcbInfoChain: chain(world.chains.tcbInfo),
      qeIdentity,
      qeIdentitySignature: Buffer.from(signRaw(Buffer.from(qeIdentity), world.qeIdentitySigner)).toString('hex'),
      qeIdentityChain: chain(world.chains.qeIdentity),
      rootCrl: new Uint8Array(makeList(world.rootCrl)),
      pckCrl: new Uint8Array(makeList(world.pckCrl)),
    },
    roots: [rootKeyHash({ point: Buffer.concat([Uint8Array.of(4), pointOf(keys.root.publicKey)]) })],
    certificates,
  }
}

/** Evidence of the good world with changes. */
export function evidenceWith(change: (world: World) => void = () => undefined, nowMs?: number): Evidence {
  const world = goodWorld(nowMs)
  change(world)
  return makeEvidence(world)
}

export function iso(ms: number): string {
  return new Date(ms).toISOString().replace(/\.\d+Z$/, 'Z')
}

function certificate(
  nowMs: number,
  part: keyof typeof names,
  issuer: keyof typeof names,
  rest: Pick<CertificateRecipe, 'isAuthority' | 'pathLength' | 'keyUsage'>,
): CertificateRecipe {
  return {
    commonName: names[part],
    issuerName: names[issuer],
    serial: `5${part.length}${Buffer.from(part).toString('hex')}`,
    notBeforeMs: nowMs - 400 * dayMs,
    notAfterMs: nowMs + 2_000 * dayMs,
    publicKey: createPublicKey(keys[part].privateKey),
    signer: keys[issuer].privateKey,
    ...rest,
    extensions: [],
  }
}

function list(nowMs: number, issuer: 'root' | 'authority', days: number): ListRecipe {
  return {
    issuerName: names[issuer],
    signer: keys[issuer].privateKey,
    issuedAtMs: nowMs - 2 * dayMs,
    nextUpdateMs: nowMs + days * dayMs,
    revoked: ['51ffff', '00c0ffee'],
    extensions: [],
  }
}

function goodTcbInfo(issueDate: string, nextUpdate: string): TcbInfoJson {
  const module = { mrsigner: '00'.repeat(48), attributes: '00'.repeat(8), attributesMask: 'FF'.repeat(8) }
  const components = (svns: readonly number[]) => Array.from({ length: 16 }, (_, i) => ({ svn: svns[i] ?? 0 }))
  const dates = { new: '2026-08-13T00:00:00Z', old: '2024-03-13T00:00:00Z' }
  return {
    id: 'TDX',
    version: 3,
    issueDate,
    nextUpdate,
    fmspc: 'B0C06F000000',
    pceId: '0000',
    tcbType: 0,
    tcbEvaluationDataNumber: 20,
    tdxModule: module,
    tdxModuleIdentities: [
      {
        id: 'TDX_01',
        ...module,
        tcbLevels: [
          { tcb: { isvsvn: 5 }, tcbDate: dates.new, tcbStatus: 'UpToDate' },
          { tcb: { isvsvn: 2 }, tcbDate: dates.old, tcbStatus: 'OutOfDate', advisoryIDs: ['INTEL-SA-01036'] },
        ],
      },
    ],
    tcbLevels: [
      {
        tcb: {
          sgxtcbcomponents: components([3, 3, 2, 2, 4, 1, 0, 5]),
          pcesvn: 11,
          tdxtcbcomponents: components([5, 0, 3]),
        },
        tcbDate: dates.new,
        tcbStatus: 'UpToDate',
      },
      {
        tcb: {
          sgxtcbcomponents: components([2, 2, 2, 2, 3, 1, 0, 5]),
          pcesvn: 5,
          tdxtcbcomponents: components([3, 0, 2]),
        },
        tcbDate: dates.old,
        tcbStatus: 'OutOfDate',
        advisoryIDs: ['INTEL-SA-00106', 'INTEL-SA-00837'],
      },
    ],
  }
}

function goodQeIdentity(issueDate: string, nextUpdate: string): QeIdentityJson {
  return {
    id: 'TD_QE',
    version: 2,
    issueDate,
    nextUpdate,
    tcbEvaluationDataNumber: 20,
    miscselect: '00000000',
    miscselectMask: 'FFFFFFFF',
    attributes: '11000000000000000000000000000000',
    attributesMask: 'FBFFFFFFFFFFFFFF0000000000000000',
    mrsigner: 'dc'.repeat(32).toUpperCase(),
    isvprodid: 2,
    tcbLevels: [
      { tcb: { isvsvn: 6 }, tcbDate: '2026-08-13T00:00:00Z', tcbStatus: 'UpToDate' },
      { tcb: { isvsvn: 4 }, tcbDate: '2024-03-13T00:00:00Z', tcbStatus: 'OutOfDate', advisoryIDs: ['INTEL-SA-00900'] },
    ],
  }
}

function goodQuote(): QuoteRecipe {
  const filled = (byte: number, length = 48): Uint8Array => new Uint8Array(length).fill(byte)
  return {
    version: 4,
    bodyType: 'tdx-1.0',
    keyType: 2,
    teeType: 0x81,
    vendorId: Buffer.from('939a7233f79c4ca9940a0db3957f0607', 'hex'),
    writtenBody: undefined,
    teeTcbSvn: Uint8Array.of(6, 1, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0),
    mrSeam: filled(0x5e),
    mrSignerSeam: filled(0),
    seamAttributes: filled(0, 8),
    tdAttributes: Uint8Array.of(0, 0, 0, 0x10, 0, 0, 0, 0),
    xfam: Uint8Array.of(0xe7, 0x02, 0x06, 0, 0, 0, 0, 0),
    mrTd: filled(1),
    mrConfigId: filled(0),
    mrOwner: filled(0),
    mrOwnerConfig: filled(0),
    rtmrs: [filled(0x10), filled(0x11), filled(0x12), filled(0x13)],
    reportData: filled(0xda, 64),
    teeTcbSvn2: Uint8Array.of(6, 1, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0),
    mrServiceTd: filled(0),
    qe: {
      miscSelect: filled(0, 4),
      attributes: Uint8Array.of(0x11, 0, 0, 0, 0, 0, 0, 0, 0xe7, 0, 0, 0, 0, 0, 0, 0),
      mrSigner: filled(0xdc, 32),
      isvProdId: 2,
      isvSvn: 6,
    },
    qeReportData: undefined,
    qeAuthData: Uint8Array.from({ length: 32 }, (_, i) => i),
    attestationKey: keys.attestation,
    quoteSigner: undefined,
    qeReportSigner: keys.pck.privateKey,
    outerType: 6,
    innerType: 5,
    pckChain: '',
    padding: new Uint8Array(70),
  }
}
