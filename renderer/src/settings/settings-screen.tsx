import { Code, Cpu, Eye, Gauge, HardDrive, Info, Languages, Laptop, type LucideIcon, Palette } from 'lucide-react'
import type { Settings } from '../../../preload/api/system.ts'
import { useAnswer, useCall } from '../api/use-call.ts'
import { useStream } from '../api/use-stream.ts'
import { pathTo } from '../app/route.ts'
import { ScreenTitle } from '../app/screen-title.tsx'
import { useTexts } from '../messages/texts.tsx'
import { useCoreWords } from '../messages/use-core-words.ts'
import { CopyButton } from '../ui/copy-button.tsx'
import { Refusal } from '../ui/error-note.tsx'
import { FactList } from '../ui/fact-list.tsx'
import { Icon } from '../ui/icon.tsx'
import { Segmented } from '../ui/segmented.tsx'
import { Skeleton } from '../ui/skeleton.tsx'
import { Devices } from './devices/devices.tsx'
import { Engines } from './engines/engines.tsx'
import { Limits, limitPlaces } from './limits/limits.tsx'
import { LocalApi } from './local-api/local-api.tsx'
import { ModelStorage } from './model-storage.tsx'

const sections = ['limits', 'api', 'engines', 'devices', 'privacy', 'storage', 'appearance', 'language', 'about'] as const
type SectionName = (typeof sections)[number]
const icons: Record<SectionName, LucideIcon> = {
  limits: Gauge,
  api: Code,
  engines: Cpu,
  devices: Laptop,
  privacy: Eye,
  storage: HardDrive,
  appearance: Palette,
  language: Languages,
  about: Info,
}

export function SettingsScreen({ section }: { section: string | undefined }) {
  const { t } = useTexts()
  const place = limitPlaces.find((one) => one === section)
  const shown = place ? 'limits' : (sections.find((one) => one === section) ?? 'appearance')
  return (
    <div className="flex min-w-0 flex-1">
      <nav className="settings-nav" aria-label={t('settings.sections')} data-region="list">
        {sections.map((one) => (
          <a key={one} href={pathTo('settings', one)} aria-current={one === shown ? 'page' : undefined}>
            <Icon of={icons[one]} />
            {t(`settings.${one}`)}
          </a>
        ))}
      </nav>
      <main className="page" data-region="content">
        <div className="page-inner max-w-[820px]! mx-0!">
          <div className="page-head">
            <ScreenTitle key={shown}>{t(`settings.${shown}`)}</ScreenTitle>
            {shown === 'about' ? null : <span className="ms-auto text-sm text-ink-2">{t('settings.saved')}</span>}
          </div>
          {shown === 'limits' ? <Limits key={place} at={place} /> : <Section section={shown} />}
        </div>
      </main>
    </div>
  )
}

function Section({ section }: { section: Exclude<SectionName, 'limits'> }) {
  switch (section) {
    case 'about':
      return <About />
    case 'api':
      return <LocalApi />
    case 'engines':
      return <Engines />
    case 'devices':
      return <Devices />
    case 'storage':
      return <ModelStorage />
    default:
      return <Choice section={section} />
  }
}

function Choice({ section }: { section: 'privacy' | 'appearance' | 'language' }) {
  const { t } = useTexts()
  const { value, error } = useStream('settings', {})
  const set = useCall('settings.set')
  if (!value) return error ? <Refusal error={error} /> : <Skeleton awaited={t('settings.loading')} lines={2} />
  return (
    <>
      {set.error ? <Refusal error={set.error} /> : null}
      <section className="card">
        <div className="setting-row">
          <div className="min-w-[220px] flex-1">
            <h2>{t(`settings.${section}.name`)}</h2>
            <p className="text-sm text-ink-2">{t(`settings.${section}.text`)}</p>
          </div>
          {section === 'privacy' ? (
            <Segmented<'ask' | 'forbid'>
              label={t('settings.privacy.name')}
              value={value.openNetworkForbidden ? 'forbid' : 'ask'}
              options={(['ask', 'forbid'] as const).map((one) => ({ value: one, label: t(`settings.privacy.${one}`) }))}
              onChange={(one) => void set.run({ openNetworkForbidden: one === 'forbid' })}
            />
          ) : section === 'appearance' ? (
            <Segmented<Settings['theme']>
              label={t('settings.appearance.name')}
              value={value.theme}
              options={(['system', 'light', 'dark'] as const).map((theme) => ({ value: theme, label: t(`theme.${theme}`) }))}
              onChange={(theme) => void set.run({ theme })}
            />
          ) : (
            <Segmented<Settings['language']>
              label={t('settings.language.name')}
              value={value.language}
              options={(['system', 'en', 'ru'] as const).map((language) => ({
                value: language,
                label: t(`language.${language}`),
              }))}
              onChange={(language) => void set.run({ language })}
            />
          )}
        </div>
      </section>
    </>
  )
}

function About() {
  const { t } = useTexts()
  const { said } = useCoreWords()
  const info = useAnswer('app.info', {})
  if (!info) return <Skeleton awaited={t('settings.loading')} />
  const rows: ReadonlyArray<readonly [string, string]> = [
    [t('about.version'), info.version],
    [t('about.shell'), t(`about.shell.${info.shell}`)],
    [t('about.platform'), info.platform],
    [t('about.node'), info.nodeVersion],
    [t('about.data'), info.dataDir],
    [t('about.vault'), said(info.vault)],
  ]
  const report = rows.map(([name, value]) => `${name}: ${value}`).join('\n')
  return (
    <section className="card" aria-label={t('settings.about')}>
      <div className="card-head">
        <h2>{info.name}</h2>
        <span className="ms-auto">
          <CopyButton withWord value={report} label={t('about.copy')} />
        </span>
      </div>
      <FactList rows={rows} />
    </section>
  )
}
