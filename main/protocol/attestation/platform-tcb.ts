import { AttestationError } from './attestation-error.ts'
import type { Platform } from './pck-extension.ts'
import type { QeReport } from './qe-report.ts'
import type { QeIdentity, TcbInfo, TcbLevel } from './signed-collateral.ts'
import { requireUpToDate } from './tcb-status.ts'
import type { TdxBody } from './tdx-body.ts'

/** The level that something was found at. */
export interface FoundLevel {
  readonly tcbDateMs: number
  readonly advisoryIds: readonly string[]
}

const sgxDebug = 0x02

/**
 * Checks microcode, firmware and TDX module against what Intel says about this model of processor (its TCB info of version 3).
 * @throws AttestationError `collateral-not-for-this-platform`, `tcb-…`
 */
export function checkPlatform(info: TcbInfo, platform: Platform, body: TdxBody): FoundLevel {
  if (info.fmspc !== platform.fmspc || info.pceId !== platform.pceId)
    throw new AttestationError('collateral-not-for-this-platform', 'Intel’s information is about another model of processor')
  // With a module that has an identity of its own, that identity judges the first two versions.
  const from = moduleMajor(body) === 0 ? 0 : 2
  const level = info.tcbLevels.find(
    ({ tcb }) =>
      tcb.pcesvn <= platform.pceSvn &&
      tcb.sgxtcbcomponents.every(({ svn }, i) => svn <= (platform.cpuSvn[i] ?? -1)) &&
      tcb.tdxtcbcomponents.every(({ svn }, i) => i < from || svn <= (body.teeTcbSvn[i] ?? -1)),
  )
  return found('The platform', level)
}

/**
 * Checks the TDX module: who signed it, its attributes, its version.
 * @throws AttestationError `tdx-module-not-recognized`, `tcb-…`
 */
export function checkTdxModule(info: TcbInfo, body: TdxBody): FoundLevel | undefined {
  const major = moduleMajor(body)
  const id = `TDX_${major.toString(16).padStart(2, '0').toUpperCase()}`
  const identity = major === 0 ? undefined : info.tdxModuleIdentities.find((one) => one.id === id)
  if (major !== 0 && identity === undefined)
    throw new AttestationError('tdx-module-not-recognized', `Intel does not list the TDX module ${id}`)
  const { mrsigner, attributes, attributesMask } = identity ?? info.tdxModule
  if (hexOf(body.mrSignerSeam) !== mrsigner || !sameUnderMask(body.seamAttributes, attributes, attributesMask))
    throw new AttestationError('tdx-module-not-recognized', 'The TDX module of the peer is not Intel’s')
  if (identity === undefined) return undefined
  return found(
    'The TDX module',
    identity.tcbLevels.find(({ tcb }) => tcb.isvsvn <= (body.teeTcbSvn[0] ?? -1)),
  )
}

/**
 * Checks the quoting enclave.
 * @throws AttestationError `qe-debug`, `qe-not-recognized`, `tcb-…`
 */
export function checkQuotingEnclave(identity: QeIdentity, report: QeReport): FoundLevel {
  if (((report.attributes[0] ?? sgxDebug) & sgxDebug) !== 0)
    throw new AttestationError('qe-debug', 'The quoting enclave of the peer can be looked into')
  if (
    hexOf(report.mrSigner) !== identity.mrsigner ||
    report.isvProdId !== identity.isvprodid ||
    !sameUnderMask(report.miscSelect, identity.miscselect, identity.miscselectMask) ||
    !sameUnderMask(report.attributes, identity.attributes, identity.attributesMask)
  )
    throw new AttestationError('qe-not-recognized', 'The quoting enclave of the peer is not Intel’s')
  return found(
    'The quoting enclave',
    identity.tcbLevels.find(({ tcb }) => tcb.isvsvn <= report.isvSvn),
  )
}

function moduleMajor(body: TdxBody): number {
  return body.teeTcbSvn[1] ?? 0
}

function found(what: string, level: TcbLevel | undefined): FoundLevel {
  if (level === undefined) throw new AttestationError('tcb-not-listed', `${what} of the peer is older than all that Intel lists`)
  requireUpToDate(what, level)
  return { tcbDateMs: level.tcbDate, advisoryIds: level.advisoryIDs }
}

/** @param wanted and mask in hex, of the length of `value` */
function sameUnderMask(value: Uint8Array, wanted: string, mask: string): boolean {
  const wantedBytes = Buffer.from(wanted, 'hex')
  const maskBytes = Buffer.from(mask, 'hex')
  return value.every((byte, i) => (byte & (maskBytes[i] ?? 0xff)) === ((wantedBytes[i] ?? 0) & (maskBytes[i] ?? 0xff)))
}

function hexOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex')
}
