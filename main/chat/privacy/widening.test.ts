import { mnemonicNew } from '@ton/crypto'
import { describe, expect, it } from 'vitest'
import { privacyLevel } from '../../../preload/api/chat.ts'
import type { OpenReaders } from '../../../preload/api/privacy.ts'
import { holdSecrets, secretIn } from './sensitive-text.ts'
import { OpenConsent, resolveMove } from './widening.ts'

describe('moving a chat to another level', () => {
  it('asks what goes along only where more people could read, and only with messages', () => {
    const asked = privacyLevel.options.flatMap((from) =>
      privacyLevel.options
        .filter((to) => {
          try {
            resolveMove({ from, to, messages: 1 })
            return false
          } catch {
            return true
          }
        })
        .map((to) => `${from} ${to}`),
    )
    expect(asked.toSorted()).toEqual([
      'attested external',
      'attested open',
      'computer attested',
      'computer external',
      'computer open',
      'devices attested',
      'devices external',
      'devices open',
      'external open',
      'practice attested',
      'practice external',
      'practice open',
    ])
    for (const to of privacyLevel.options) expect(resolveMove({ from: 'computer', to, messages: 0 })).toBe('same-chat')
  })

  it('does what was chosen, and nothing before', () => {
    const move = { from: 'computer', to: 'open', messages: 2 } as const
    expect(() => resolveMove(move)).toThrow(expect.objectContaining({ code: 'needs-choice' }))
    expect(resolveMove({ ...move, along: 'new-chat' })).toBe('new-chat')
    expect(resolveMove({ ...move, along: 'send-along' })).toBe('same-chat')
  })
})

describe('consent to the Open network', () => {
  it('counts for one chat, ends with it, and is needed for no other level', () => {
    const consent = new OpenConsent(() => false)
    expect(() => consent.demand('open', 'a')).toThrow(expect.objectContaining({ code: 'needs-consent' }))
    for (const level of privacyLevel.options) if (level !== 'open') consent.demand(level, 'a')
    consent.give('a', 'worker')
    consent.demand('open', 'a')
    expect(() => consent.demand('open', 'b')).toThrow(expect.objectContaining({ code: 'needs-consent' }))
    consent.end('a')
    expect(() => consent.demand('open', 'a')).toThrow(expect.objectContaining({ code: 'needs-consent' }))
  })

  it('counts for the readers that were named alone, and the newest word counts', () => {
    const consent = new OpenConsent(() => false)
    const forProxy = (): void => consent.demand('open', 'a', 'proxy-too')
    consent.give('a', 'worker')
    expect(forProxy).toThrow(expect.objectContaining({ code: 'needs-consent', words: { code: 'needs-consent-proxy' } }))
    expect(consent.coversProxy('a')).toBe(false)
    consent.give('a', 'proxy-too')
    forProxy()
    consent.demand('open', 'a', 'worker')
    expect([consent.coversProxy('a'), consent.coversProxy('b')]).toEqual([true, false])
    consent.give('a', 'worker')
    expect(forProxy).toThrow(expect.objectContaining({ code: 'needs-consent' }))
  })

  it('counts for fewer readers once a check has found somebody to seal to, also when that goes again', () => {
    let readers: OpenReaders = 'proxy-too'
    const consent = new OpenConsent(
      () => false,
      () => readers,
    )
    consent.give('before', 'proxy-too')
    readers = 'worker'
    consent.narrow()
    consent.give('after', 'proxy-too')
    readers = 'proxy-too'
    consent.narrow()
    expect([consent.coversProxy('before'), consent.coversProxy('after')]).toEqual([false, false])
    consent.give('after', 'proxy-too')
    expect(consent.coversProxy('after')).toBe(true)
  })

  it('is worth nothing while the settings forbid it, and cannot be given then', () => {
    let forbidden = false
    const consent = new OpenConsent(() => forbidden)
    consent.give('a', 'worker')
    forbidden = true
    expect(() => consent.demand('open', 'a')).toThrow(expect.objectContaining({ words: { code: 'open-forbidden' } }))
    expect(() => consent.give('b', 'worker')).toThrow(expect.objectContaining({ words: { code: 'open-forbidden' } }))
  })
})

describe('a text that looks like a secret', () => {
  const twelve = 'abandon ability able about above absent absorb abstract absurd abuse access accident'

  it.each([
    ['words in a row', `my words are ${twelve}`, 'phrase'],
    [
      'numbered',
      twelve
        .split(' ')
        .map((word, index) => `${index + 1}. ${word}`)
        .join('\n'),
      'phrase',
    ],
    ['with commas and capitals', twelve.toUpperCase().replaceAll(' ', ', '), 'phrase'],
    ['eleven of them', twelve.split(' ').slice(1).join(' '), null],
    ['broken by another word', twelve.replace('absent', 'absently'), null],
    ['usual prose', 'Please explain how a heat pump works and why it can move more energy than it uses in winter.', null],
    ['a PEM key', '-----BEGIN OPENSSH PRIVATE KEY-----\nabc', 'key'],
    ['64 hex digits', `key ${'0f'.repeat(32)}.`, 'key'],
    ['hex with 0x', `0x${'A1'.repeat(32)}`, 'key'],
    ['hex of another length', 'a1'.repeat(20), null],
    ['hex inside of more', `z${'a1'.repeat(32)}`, null],
    ['an import key', `5${'H'.repeat(50)}`, 'key'],
    ['a card', 'my card is 4111 1111 1111 1111, thanks', 'card'],
    ['a card without spaces', '5500005555555559', 'card'],
    ['a wrong check digit', '4111 1111 1111 1112', null],
    ['a long number', '0.4111111111111111', null],
    ['zeros', '0000 0000 0000 0000', null],
    ['a time in ms', '1763816400000', null],
  ])('%s', (_, text, kind) => expect(secretIn(text)).toBe(kind))

  it('finds every phrase that a TON wallet makes', async () => {
    expect(secretIn(`keep this: ${(await mnemonicNew(24)).join(' ')}`)).toBe('phrase')
  })

  it('is held for the Open network and for another program', () => {
    for (const level of privacyLevel.options) {
      if (level === 'open' || level === 'external')
        expect(() => holdSecrets(level, ['ok', twelve])).toThrow(expect.objectContaining({ code: 'looks-secret' }))
      else holdSecrets(level, [twelve])
    }
    holdSecrets('open', ['ok'])
  })

  it('is not repeated in what is said about it', () => {
    try {
      holdSecrets('open', [twelve])
    } catch (thrown) {
      expect(JSON.stringify([thrown, String(thrown)])).not.toContain('abandon')
    }
  })
})
