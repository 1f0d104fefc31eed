import { describe, expect, it } from 'vitest'
import { linkQuestion, mayNavigate, mayUse, pageFile } from './window-policy.ts'

describe('window policy', () => {
  it.each(['https://example.org/', 'file:///etc/passwd', 'app://cocoon.example.org/', 'app://other/', 'javascript:alert(1)'])(
    'does not let the page navigate to %s',
    (url) => {
      expect(mayNavigate(url)).toBe(false)
      expect(pageFile(url)).toBeNull()
    },
  )

  it('asks before a web page opens outside, and opens nothing else', () => {
    expect(linkQuestion('https://example.org/a?b')).toEqual({
      url: 'https://example.org/a?b',
      message: 'Open example.org?',
      detail: 'https://example.org/a?b',
      buttons: ['Open in the browser', 'Cancel'],
    })
    // The host as it is, not as it looks.
    expect(linkQuestion('https://аpple.com/')?.message).toBe('Open xn--pple-43d.com?')
    expect(linkQuestion('http://example.org')?.detail).toContain('not encrypted')
    for (const url of ['file:///etc/passwd', 'smb://host/share', 'https://user:pass@example.org', 'nonsense']) {
      expect(linkQuestion(url)).toBeNull()
    }
  })

  it('denies every permission but writing the clipboard', () => {
    for (const permission of ['media', 'geolocation', 'notifications', 'clipboard-read', 'usb', 'openExternal'])
      expect(mayUse(permission)).toBe(false)
    expect(mayUse('clipboard-sanitized-write')).toBe(true)
  })

  it('serves files of the page only', () => {
    expect(pageFile('app://cocoon/')).toBe('index.html')
    // The URL parser itself folds dots that are written as %2e, so this stays inside the folder.
    expect(pageFile('app://cocoon/%2e%2e/secret')).toBe('secret')
    expect(pageFile('app://cocoon/assets/index-1.js')).toBe('assets/index-1.js')
    for (const url of ['app://cocoon/a/..%5c..%5csecret', 'app://cocoon/%00', 'app://cocoon/%']) expect(pageFile(url)).toBeNull()
  })
})
