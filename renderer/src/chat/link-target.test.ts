import { describe, expect, it } from 'vitest'
import { linkTarget } from './link-target.ts'

describe('links of answers', () => {
  it('lead to web pages, and show the real host', () => {
    expect(linkTarget('https://ton.org/docs')).toEqual({ href: 'https://ton.org/docs', shown: 'https://ton.org/docs' })
    expect(linkTarget('https://xn--tn-xka.org')?.shown).toContain('xn--')
    expect(linkTarget(`https://a.example/${'x'.repeat(200)}`)?.shown).toHaveLength(80)
  })

  it('lead nowhere else', () => {
    for (const href of [
      'javascript:alert(1)',
      'data:text/html,x',
      'file:///etc/passwd',
      '/relative',
      '#top',
      'https://bank@evil.example',
      '',
      'ton://transfer/x',
    ]) {
      expect(linkTarget(href)).toBeNull()
    }
  })
})
