import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beginCell } from '@ton/core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { writeEvidence } from '../chat/privacy/evidence-file.ts'
import { goodFindings } from '../chat/testing/controlled-checker.ts'
import { digestOf } from '../core/verify/receipt.ts'
import { contractFor, payment, sampleReceipt, seed } from '../core/verify/testing/sample-receipt.ts'
import { localParams } from '../localnet/genesis.ts'
import type { LocalChain } from '../localnet/local-chain.ts'
import { startChain } from '../localnet/testing.ts'
import { intelRoots } from '../protocol/attestation/intel-chain.ts'
import { verifyCommand } from './verify-command.ts'

let folder: string
let local: LocalChain
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'cocoon-verify-'))
  local = await startChain(join(folder, 'chain'))
})
afterAll(async () => {
  await local?.close()
  rmSync(folder, { recursive: true, force: true })
})

async function run(...args: string[]): Promise<{ status: number; output: string }> {
  const lines: string[] = []
  const status = await verifyCommand(args, intelRoots, (line) => lines.push(line))
  return { status, output: lines.join('\n') }
}

function fileOf(json: unknown): string {
  const path = join(folder, 'saved.json')
  writeFileSync(path, JSON.stringify(json))
  return path
}

const receipt = { ...sampleReceipt, digest: digestOf(sampleReceipt) }

const evidence = (): unknown => {
  const report = { connection: 'c #1', checkedAtMs: 1_795_348_800_000, rows: [...goodFindings('open').rows], evidence: [] }
  return JSON.parse(writeEvidence('open', { phase: 'earned', report }, {}).json)
}

describe('the status of cocoon-desktop verify', () => {
  it('is 0 for a receipt that proves what it can, and 4 where the chain shows no charge', async () => {
    const path = fileOf(receipt)
    expect(await run(path)).toEqual({ status: 0, output: expect.stringMatching(/^PROVEN from the file alone:/) })
    expect(await run(path, '--chain', local.endpoint)).toEqual({
      status: 4,
      output: expect.stringContaining('shows no charge yet that covers it'),
    })
  })

  it('is 3 for a receipt whose contract has a code that nobody knows, and what the contract takes is not proven then', async () => {
    const code = beginCell().storeUint(0xdeadbeef, 32).endCell()
    const contract = contractFor(seed(7), { ...localParams, codes: { ...localParams.codes, client: code } })
    const forged = { ...sampleReceipt, contract, signed: { tokens: '2500', boc: payment(2500n, seed(7), contract.address) } }
    const { status, output } = await run(fileOf({ ...forged, digest: digestOf(forged) }))
    expect(status).toBe(3)
    const [proven, unproven] = output.split('NOT PROVEN by it:')
    expect(proven).not.toContain('takes charges')
    expect(unproven).toContain(
      `takes charges signed by the key ${contract.proxyKey} alone: its code ${code.hash().toString('hex')}`,
    )
    expect(unproven).toContain(`belong to the network ${sampleReceipt.chain.root}`)
    const known = (await run(fileOf(receipt))).output.split('NOT PROVEN by it:')
    expect(known[0]).toContain('takes charges')
    expect(known[1]).toContain(`belong to the network ${sampleReceipt.chain.root}`)
  })

  it('is the worst of all for receipts of one question, each judged for itself', async () => {
    const all = (...receipts: readonly unknown[]): string => fileOf({ kind: 'cocoon-receipts', version: 1, receipts })
    const other = { ...sampleReceipt, requestId: '77'.repeat(32) }
    const second = { ...other, digest: digestOf(other) }
    const good = await run(all(receipt, second))
    expect(good.status).toBe(0)
    expect(good.output).toMatch(/^Answer 1 of 2, an earlier one:\nPROVEN[\s\S]*\nAnswer 2 of 2, the newest:\nPROVEN/)
    const { digest: _, ...rest } = { ...receipt, cost: '1' }
    const mixed = await run(all({ ...rest, digest: digestOf(rest) }, receipt))
    expect(mixed).toEqual({
      status: 1,
      output: expect.stringMatching(/NOT PROVEN \(cost-differs\)[\s\S]*Answer 2 of 2[\s\S]*\nPROVEN/),
    })
    // A failure is worse than what may come yet.
    expect(await run(all({ ...rest, digest: digestOf(rest) }, receipt), '--chain', local.endpoint)).toMatchObject({ status: 1 })
    expect(await run(all(receipt, second), '--chain', local.endpoint)).toMatchObject({ status: 4 })
    expect(await run(all())).toEqual({ status: 1, output: expect.stringContaining('NOT PROVEN (receipt-malformed)') })
  })

  it('is 1 for receipts that tell one answer twice, or whose total falls from one to the next', async () => {
    const all = (...receipts: readonly unknown[]): string => fileOf({ kind: 'cocoon-receipts', version: 1, receipts })
    const twice = await run(all(receipt, receipt))
    expect(twice).toEqual({ status: 1, output: expect.stringMatching(/^Answer 1 of 2[\s\S]*\nNOT PROVEN \(receipt-twice\)/) })
    const less = { ...sampleReceipt, requestId: '77'.repeat(32), totalAfter: String(BigInt(sampleReceipt.totalAfter) - 1n) }
    const fallen = { ...less, digest: digestOf(less) }
    expect(await run(all(fallen, receipt))).toMatchObject({ status: 0 })
    expect(await run(all(receipt, fallen))).toEqual({ status: 1, output: expect.stringContaining('NOT PROVEN (total-falls)') })
  })

  it('is 3 for evidence that proves nothing', async () => {
    expect(await run(fileOf(evidence()))).toEqual({
      status: 3,
      output: expect.stringContaining('NOT PROVEN: there is no attestation'),
    })
  })

  it('is 1 for a file that was changed, is none, or is a pipe', async () => {
    expect(await run(fileOf({ ...receipt, cost: '1' }))).toEqual({
      status: 1,
      output: expect.stringMatching(/^NOT PROVEN \(digest-differs\)/),
    })
    const nothing = join(folder, 'nothing')
    expect(await run(nothing)).toEqual({ status: 1, output: `NOT PROVEN (file-unreadable): There is no file ${nothing}.` })
    expect(await run(folder)).toMatchObject({ status: 1 })
    if (process.platform === 'win32') return
    const pipe = join(folder, 'pipe')
    execFileSync('mkfifo', [pipe])
    expect(await run(pipe)).toEqual({ status: 1, output: 'NOT PROVEN (file-malformed): This is no plain file.' })
  })

  it.each([
    ['no file', []],
    ['two files', ['a', 'b']],
    ['an unknown option', ['a', '--chains', 'x']],
    ['an option without its value', ['a', '--chain']],
  ])('is 2 for %s', async (_name, args) => {
    expect(await run(...args)).toEqual({ status: 2, output: expect.stringContaining('Usage: cocoon-desktop verify') })
  })

  it('is 2 where a chain is to be asked about evidence, and 0 for help', async () => {
    expect(await run(fileOf(evidence()), '--chain', local.endpoint)).toMatchObject({ status: 2 })
    expect(await run('--help')).toMatchObject({ status: 0 })
  })
})
