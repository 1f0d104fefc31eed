import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { Failure } from '../../base/failure.ts'
import { createLogger } from '../../base/logger.ts'
import { ControlledChecker, goodFindings, row } from '../testing/controlled-checker.ts'
import { SealKeeper } from './seal-keeper.ts'
import { freshMs } from './seal-machine.ts'

beforeEach(() => void vi.useFakeTimers({ now: 1_000_000 }))
afterEach(() => void vi.useRealTimers())

const never = new AbortController().signal
const settled = (): Promise<unknown> => vi.advanceTimersByTimeAsync(0)

async function open(level: 'attested' | 'computer' = 'attested') {
  const checker = new ControlledChecker(level)
  const keeper = new SealKeeper({ checker })
  await settled()
  return { checker, keeper }
}

describe('SealKeeper', () => {
  it('checks a connection when it comes, and lets a wish through after that check', async () => {
    const { checker, keeper } = await open()
    expect(keeper.state.value).toEqual({ phase: 'checking' })
    const sent = vi.fn()
    const permit = keeper.permit(never).then(sent)
    await settled()
    expect(sent).not.toHaveBeenCalled()
    checker.checks[0]?.pass()
    await permit
    expect(sent).toHaveBeenCalledWith({ level: 'attested', connection: 'c1' })
    expect(keeper.state.value).toMatchObject({ phase: 'earned', report: { connection: 'c1', checkedAtMs: 1_000_000 } })
  })

  it('ages by itself and checks again before the next message', async () => {
    const { checker, keeper } = await open()
    checker.checks[0]?.pass()
    await settled()
    await vi.advanceTimersByTimeAsync(freshMs)
    expect(keeper.state.value.phase).toBe('earned')
    await vi.advanceTimersByTimeAsync(1)
    expect(keeper.state.value.phase).toBe('aging')
    const permit = keeper.permit(never)
    await settled()
    expect(checker.checks).toHaveLength(2)
    checker.checks[1]?.pass()
    await expect(permit).resolves.toMatchObject({ connection: 'c1' })
  })

  it('gives up the check of a connection that is gone, and hears nothing of it any more', async () => {
    const { checker, keeper } = await open()
    const permit = keeper.permit(never)
    permit.catch(() => undefined)
    checker.connection.set(null)
    await expect(permit).rejects.toMatchObject({ code: 'not-ready' })
    expect(checker.checks[0]?.signal.aborted).toBe(true)
    checker.checks[0]?.pass()
    await settled()
    expect(keeper.state.value).toEqual({ phase: 'idle' })
  })

  it('gives up an older check for a newer one', async () => {
    const { checker, keeper } = await open()
    keeper.checkAgain()
    await settled()
    expect(checker.checks.map(({ signal }) => signal.aborted)).toEqual([true, false])
    checker.checks[0]?.pass({ rows: [row('hardware', 'failed')], evidence: [] })
    await settled()
    expect(keeper.state.value.phase).toBe('checking')
    checker.checks[1]?.pass()
    await settled()
    expect(keeper.state.value.phase).toBe('earned')
  })

  it('refuses with the reason of the row, says that nothing was sent, and keeps the inputs for a third party', async () => {
    const { checker, keeper } = await open()
    const permit = keeper.permit(never)
    permit.catch(() => undefined)
    checker.checks[0]?.pass({ rows: [row('hardware', 'failed')], evidence: [], inputs: { quote: 'q' } })
    await expect(permit).rejects.toMatchObject({ code: 'not-verified', message: 'hardware failed', advice: 'Nothing was sent.' })
    await expect(keeper.permit(never)).rejects.toMatchObject({ code: 'not-verified' })
    expect(keeper.inputs).toEqual({ quote: 'q' })
    checker.connection.set('c2')
    expect(keeper.inputs).toBeUndefined()
  })

  it('is Not verified when the check itself breaks, and logs a defect without its text', async () => {
    const lines: string[] = []
    const checker = new ControlledChecker('attested')
    const keeper = new SealKeeper({ checker, logger: createLogger((line) => lines.push(line)) })
    await settled()
    checker.checks[0]?.fail(new TypeError('holds a secret'))
    await settled()
    expect(keeper.state.value).toMatchObject({ phase: 'failed', reason: { words: { code: 'check-defect' } } })
    expect(lines.join()).toContain('TypeError')
    expect(lines.join()).not.toContain('holds a secret')
    keeper.checkAgain()
    await settled()
    checker.checks[1]?.fail(new Failure('root-too-old', 'Read too long ago.', { advice: 'Check the connection.' }))
    await settled()
    expect(keeper.state.value).toMatchObject({
      phase: 'failed',
      reason: { text: 'Read too long ago. Check the connection.', words: { code: 'root-too-old' } },
    })
  })

  it('does not wait for ever for a check', async () => {
    const { checker, keeper } = await open()
    await vi.advanceTimersByTimeAsync(30_000)
    expect(keeper.state.value).toMatchObject({ phase: 'failed', reason: { words: { code: 'check-too-slow' } } })
    expect(checker.checks[0]?.signal.aborted).toBe(true)
    checker.checks[0]?.pass({ ...goodFindings('attested'), inputs: { quote: 'late' } })
    await settled()
    expect(keeper.state.value.phase).toBe('failed')
    expect(keeper.inputs).toBeUndefined()
  })

  it('calls it no defect that a check which was given up ends by that', async () => {
    const lines: string[] = []
    const checker = new ControlledChecker('attested')
    const keeper = new SealKeeper({ checker, logger: createLogger((line) => lines.push(line)) })
    await settled()
    keeper.checkAgain()
    await settled()
    checker.checks[0]?.fail(checker.checks[0].signal.reason)
    checker.checks[1]?.pass()
    await settled()
    expect(keeper.state.value.phase).toBe('earned')
    expect(lines).toEqual([])
  })

  it('lets a wish be taken back', async () => {
    const { checker, keeper } = await open()
    const control = new AbortController()
    const permit = keeper.permit(control.signal)
    control.abort()
    await expect(permit).rejects.toMatchObject({ code: 'stopped' })
    await expect(keeper.permit(control.signal)).rejects.toMatchObject({ code: 'stopped' })
    checker.checks[0]?.pass(goodFindings('attested'))
    await settled()
    expect(keeper.state.value.phase).toBe('earned')
  })

  it('refuses who waits when it is closed, and lets nothing through afterwards', async () => {
    const { checker, keeper } = await open()
    const permit = keeper.permit(never)
    permit.catch(() => undefined)
    keeper.close()
    await expect(permit).rejects.toMatchObject({ code: 'not-ready' })
    checker.connection.set('c9')
    await expect(keeper.permit(never)).rejects.toMatchObject({ code: 'not-ready' })
  })
})
