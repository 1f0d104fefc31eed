import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { defineConfig } from '@playwright/test'

const electronDir = join(import.meta.dirname, 'node_modules', 'electron')
const pathFile = join(electronDir, 'path.txt')
const hasElectron = existsSync(pathFile) && existsSync(join(electronDir, 'dist', readFileSync(pathFile, 'utf8')))
if (!hasElectron)
  process.stdout.write('No Electron binary here: the desktop window is NOT tested; the same page is tested in Chromium.\n')

/** Journeys through the built app. They share one running app, so they go one after the other. */
export default defineConfig({
  testDir: 'e2e',
  outputDir: 'test-results/journeys',
  timeout: 900_000,
  // What is waited for comes late on a busy machine.
  expect: { timeout: 60_000 },
  workers: 1,
  fullyParallel: false,
  forbidOnly: true,
  retries: 0,
  reporter: [['list'], ['json']],
  // Recording every page keeps a core busy: TRACE=1 does it.
  use: { trace: process.env.TRACE ? 'retain-on-failure' : 'off', screenshot: 'only-on-failure' },
  projects: [
    {
      name: 'browser',
      testMatch: /.*\.journey\.ts/,
      use: {
        browserName: 'chromium',
        viewport: { width: 1280, height: 800 },
        launchOptions: {
          executablePath: process.env.CHROMIUM_PATH || '/usr/bin/chromium',
          args: [
            '--no-sandbox',
            '--disable-background-networking',
            '--disable-component-update',
            '--disable-sync',
            '--no-first-run',
          ],
        },
      },
    },
    { name: 'electron', testMatch: /.*\.electron\.ts/ },
  ],
})
