import { qrLines } from '../base/qr-code.ts'

/** Shows a TON Connect link to be opened on this computer, or scanned with a phone. */
export function showWalletLink(link: string): void {
  console.log('\nConnect the wallet that signs: open this link with it, or scan the code.\n')
  for (const line of qrLines(link)) console.log(`  ${line}`)
  console.log(`\n${link}\n\nWaiting for the wallet …`)
}

/** The library of TON Connect tells its steps to the console, addresses and messages included. They are not for the terminal. */
export function silenceTonConnect(): void {
  for (const level of ['debug', 'warn', 'error'] as const) {
    const say = console[level].bind(console)
    console[level] = (...words: unknown[]) => {
      if (words[0] !== '[TON_CONNECT_SDK]') say(...words)
    }
  }
}
