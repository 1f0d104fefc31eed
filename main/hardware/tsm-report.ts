import { randomUUID } from 'node:crypto'
import { mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { asError, Failure } from '../base/failure.ts'

/** Where Linux offers attestation reports of the machine that it runs in (configfs-tsm, kernel 6.7 and newer). */
export const tsmFolder = '/sys/kernel/config/tsm/report'

/** What a report of the machine is made by. */
export type TsmProvider = 'tdx_guest' | 'sev_guest'

export interface TsmReport {
  readonly provider: TsmProvider
  /** A TDX quote, or an SEV-SNP report. */
  readonly report: Uint8Array
  /** Certificates that go with an SEV-SNP report, as the host gave them; empty without. */
  readonly certificates: Uint8Array
}

/** The folder of one request, whose files the kernel makes. */
export interface TsmFiles {
  create(entry: string): void
  read(entry: string, file: string): Uint8Array
  write(entry: string, file: string, bytes: Uint8Array): void
  remove(entry: string): void
}

export function tsmFiles(folder: string = tsmFolder): TsmFiles {
  return {
    create: (entry) => void mkdirSync(join(folder, entry)),
    read: (entry, file) => new Uint8Array(readFileSync(join(folder, entry, file))),
    write: (entry, file, bytes) => writeFileSync(join(folder, entry, file), bytes),
    remove: (entry) => rmdirSync(join(folder, entry)),
  }
}

const reportDataBytes = 64
const mostReportBytes = 32 * 1024
const providers: ReadonlySet<string> = new Set(['tdx_guest', 'sev_guest'] satisfies TsmProvider[])

/**
 * Lets the processor attest this machine together with 64 bytes of the caller's choice. Each request has a folder of its own, and the
 * kernel's counter tells if somebody wrote into it meanwhile (Documentation/ABI/testing/configfs-tsm of Linux).
 * @throws Failure `tsm-unavailable` where the kernel offers no reports, `tsm-conflict`, `tsm-failed`; TypeError for other than 64 bytes
 */
export function tsmReport(reportData: Uint8Array, files: TsmFiles = tsmFiles()): TsmReport {
  if (reportData.length !== reportDataBytes) throw new TypeError('report data has 64 bytes')
  const entry = `cocoon-${randomUUID()}`
  try {
    files.create(entry)
  } catch (cause) {
    throw new Failure('tsm-unavailable', 'The kernel offers no attestation reports of this machine', {
      cause,
      advice: 'A confidential machine with Linux 6.7 or newer, with configfs mounted and as root, can.',
    })
  }
  try {
    return read(entry, reportData, files)
  } catch (thrown) {
    if (thrown instanceof Failure) throw thrown
    throw new Failure('tsm-failed', `The machine gave no attestation report: ${asError(thrown).message}`, {
      cause: thrown,
      retryable: true,
    })
  } finally {
    files.remove(entry)
  }
}

function read(entry: string, reportData: Uint8Array, files: TsmFiles): TsmReport {
  const text = (file: string): string => Buffer.from(files.read(entry, file)).toString('latin1').trim()
  const generation = (): number => {
    const count = text('generation')
    if (!/^\d{1,15}$/.test(count)) throw new TypeError(`a counter ${count}`)
    return Number(count)
  }
  const before = generation()
  files.write(entry, 'inblob', reportData)
  const report = files.read(entry, 'outblob')
  const provider = text('provider')
  const certificates = provider === 'sev_guest' ? files.read(entry, 'auxblob') : new Uint8Array()
  if (generation() !== before + 1)
    throw new Failure('tsm-conflict', 'Somebody else asked for another report at the same time', { retryable: true })
  if (!isProvider(provider)) throw new TypeError(`a provider ${provider}`)
  if (report.length === 0 || report.length > mostReportBytes) throw new TypeError(`${report.length} bytes`)
  return { provider, report, certificates }
}

function isProvider(text: string): text is TsmProvider {
  return providers.has(text)
}
