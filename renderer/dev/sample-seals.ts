import type { LevelView, PrivacyLevel } from '../../preload/api/chat.ts'
import type { CheckReport, CheckRow, SealState } from '../../preload/api/privacy.ts'

/** Sample seals for looking at the page without a core; never part of the built app. */
const now = Date.now()

const row = (id: string, statement: string, sentence: string, rest: Partial<CheckRow> = {}): CheckRow => ({
  id,
  result: 'passed',
  by: 'here',
  statement: { text: statement },
  sentence: { text: sentence },
  ...rest,
})

export const report: CheckReport = {
  connection: '203.0.113.24:8888 #1',
  checkedAtMs: now - 12_000,
  rows: [
    row(
      'hardware',
      'Real Intel hardware',
      'The proxy’s TDX quote is signed under Intel’s root certificate, firmware up to date.',
    ),
    row('software', 'Published, unmodified software', 'Its image hash is in the registry on TON.'),
    row('channel', 'Nobody sits in between', 'The key of this encrypted connection is part of the quote.'),
    row('worker', 'The worker is sealed the same way', 'Its own quote was checked before your message was passed on.', {
      by: 'sealed-proxy',
    }),
    row('model', 'The exact model you chose', 'Its files match the hash in the registry.', { by: 'sealed-worker' }),
    row('block', 'Block proof', 'The registry was read through two endpoints that agreed.', { result: 'not-checked' }),
  ],
  evidence: [
    { id: 'proxy', form: 'mono', name: { text: 'Proxy' }, value: '203.0.113.24:8888' },
    { id: 'image', form: 'hash', name: { text: 'Proxy image' }, value: '9c41e07b5d2f'.repeat(6) },
    { id: 'quote', form: 'text', name: { text: 'Quote' }, value: 'TDX 1.5, signed by Intel SGX Root CA, TCB UpToDate' },
  ],
}

export const earned: SealState = { phase: 'earned', report }
export const failed: SealState = {
  phase: 'failed',
  reason: { text: 'The attestation of the peer belongs to another key.' },
  report: { ...report, rows: report.rows.map((one) => (one.id === 'channel' ? { ...one, result: 'failed' } : one)) },
}

/** All levels ready, with the seal of one of them as given. */
export const levelsWith = (level: PrivacyLevel, seal: SealState): LevelView[] =>
  (['computer', 'practice', 'devices', 'attested', 'open'] as const).map((one) => ({
    level: one,
    state: 'ready',
    model: 'Qwen3 32B',
    seal: one === level ? seal : earned,
    ...(one !== 'computer' && one !== 'devices' && { estimate: 130_000n }),
  }))
