import { chmodSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { parseConfCompute, queryGpuConfidential } from './gpu-confidential.ts'
import { type FakeTsm, fakeTsm } from './testing/fake-tsm.ts'
import { tsmFiles, tsmReport } from './tsm-report.ts'

const reportData = new Uint8Array(64).map((_, i) => i)
const echo = (bytes: Uint8Array): Uint8Array => new Uint8Array([...bytes, 1, 2, 3])
const kept = (tsm: FakeTsm): FakeTsm => {
  onTestFinished(() => rmSync(tsm.folder, { recursive: true }))
  return tsm
}
const failure = (code: string) => expect.objectContaining({ name: 'Failure', code })

describe('a report of the machine', () => {
  it('is made for the given bytes, and leaves nothing behind', () => {
    const tdx = kept(fakeTsm('tdx_guest', echo))
    expect(tsmReport(reportData, tdx)).toEqual({
      provider: 'tdx_guest',
      report: echo(reportData),
      certificates: new Uint8Array(),
    })
    expect(readdirSync(tdx.folder)).toEqual([])
    const sev = kept(fakeTsm('sev_guest', echo))
    expect(tsmReport(reportData, sev)).toMatchObject({
      provider: 'sev_guest',
      certificates: new Uint8Array(Buffer.from('certificates')),
    })
  })

  it.each<[string, string, FakeTsm]>([
    [
      'when somebody else wrote meanwhile',
      'tsm-conflict',
      fakeTsm('tdx_guest', echo, { beforeReading: (folder, entry) => writeFileSync(join(folder, entry, 'generation'), '2\n') }),
    ],
    [
      'without a counter',
      'tsm-failed',
      fakeTsm('tdx_guest', echo, { beforeReading: (folder, entry) => writeFileSync(join(folder, entry, 'generation'), 'x') }),
    ],
    ['of an unknown provider', 'tsm-failed', fakeTsm('arm_cca_guest', echo)],
    ['that is empty', 'tsm-failed', fakeTsm('tdx_guest', () => new Uint8Array())],
    ['that is giant', 'tsm-failed', fakeTsm('tdx_guest', () => new Uint8Array(40_000))],
    [
      'that cannot be read',
      'tsm-failed',
      fakeTsm('tdx_guest', echo, { beforeReading: (folder, entry) => rmSync(join(folder, entry, 'outblob')) }),
    ],
  ])('is none %s', (_name, code, tsm) => {
    kept(tsm)
    expect(() => tsmReport(reportData, tsm)).toThrow(failure(code))
    expect(readdirSync(tsm.folder)).toEqual([])
  })

  it('is none where the kernel offers none', () => {
    expect(() => tsmReport(reportData, tsmFiles('/nowhere/tsm/report'))).toThrow(failure('tsm-unavailable'))
    expect(() => tsmReport(new Uint8Array(32), tsmFiles('/nowhere'))).toThrow(TypeError)
  })
})

describe('confidential computing of GPUs', () => {
  const log = (changes: Readonly<Record<string, string>> = {}): string => {
    const values = {
      'CC State': 'ON',
      'Multi-GPU Mode': 'None',
      'CPU CC Capabilities': 'INTEL TDX',
      'GPU CC Capabilities': 'CC Capable',
      'CC GPUs Ready State': 'Ready',
      ...changes,
    }
    const lines = Object.entries(values).map(([label, value]) => `    ${label.padEnd(26)} : ${value}`)
    return `\n==============NVSMI CONF-COMPUTE LOG==============\n\n${lines.join('\n')}\n`
  }

  it('is read as the driver tells it', () => {
    expect(parseConfCompute(log())).toEqual({ state: 'on', ready: true, processor: 'INTEL TDX', capable: true })
    expect(
      parseConfCompute(log({ 'CC State': 'OFF', 'CC GPUs Ready State': 'Not Ready', 'CPU CC Capabilities': 'None' })),
    ).toEqual({
      state: 'off',
      ready: false,
      processor: null,
      capable: true,
    })
  })

  it('claims nothing that was not said', () => {
    const none = { state: 'unknown', ready: false, processor: null, capable: false }
    expect(parseConfCompute('')).toEqual(none)
    expect(parseConfCompute('Error: not supported\n')).toEqual(none)
    expect(parseConfCompute(log({ 'DevTools Mode': 'ON' })).state).toBe('devtools')
    expect(parseConfCompute(log({ 'CC State': 'devtools' })).state).toBe('devtools')
    // Two cards that do not agree.
    expect(parseConfCompute(`${log()}${log({ 'CC State': 'OFF', 'CC GPUs Ready State': 'Not Ready' })}`)).toMatchObject({
      state: 'unknown',
      ready: false,
    })
  })

  it('is asked of the tool, whose absence is no error', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'cocoon-smi-'))
    onTestFinished(() => rmSync(folder, { recursive: true }))
    const command = join(folder, 'nvidia-smi')
    writeFileSync(command, `#!/bin/sh\n[ "$*" = "conf-compute -q" ] || exit 2\ncat <<'LOG'\n${log()}LOG\n`)
    chmodSync(command, 0o755)
    expect(await queryGpuConfidential({ command })).toMatchObject({ state: 'on', ready: true })
    writeFileSync(command, '#!/bin/sh\nexit 2\n')
    expect((await queryGpuConfidential({ command })).state).toBe('unknown')
    expect((await queryGpuConfidential({ command: join(folder, 'nothing') })).state).toBe('unknown')
  })
})
