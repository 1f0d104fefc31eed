import { Tooltip } from 'radix-ui'
import { lazy, Suspense, useState } from 'react'
import { useLinkStatus } from '../api/api-context.tsx'
import { useCall } from '../api/use-call.ts'
import { useStream } from '../api/use-stream.ts'
import { ChatScreen } from '../chat/chat-screen.tsx'
import { ConnectionBar } from '../frame/connection-bar.tsx'
import { Palette } from '../frame/palette.tsx'
import { Rail } from '../frame/rail.tsx'
import { RefusedPage } from '../frame/refused-page.tsx'
import { StartBar } from '../frame/start-bar.tsx'
import { TitleBar } from '../frame/title-bar.tsx'
import { TextsProvider } from '../messages/texts.tsx'
import { Toasts } from '../ui/toasts.tsx'
import { useAppearance } from './appearance.tsx'
import { moveRegion, useKeys } from './keys.ts'
import { go, type ScreenName, screens, useRoute } from './route.ts'

const EarnScreen = lazy(() => import('../earn/earn-screen.tsx').then(({ EarnScreen }) => ({ default: EarnScreen })))
const ModelsScreen = lazy(() => import('../models/models-screen.tsx').then(({ ModelsScreen }) => ({ default: ModelsScreen })))
const WalletScreen = lazy(() => import('../wallet/wallet-screen.tsx').then(({ WalletScreen }) => ({ default: WalletScreen })))
const NetworkScreen = lazy(() =>
  import('../network/network-screen.tsx').then(({ NetworkScreen }) => ({ default: NetworkScreen })),
)
const SettingsScreen = lazy(() =>
  import('../settings/settings-screen.tsx').then(({ SettingsScreen }) => ({ default: SettingsScreen })),
)

export function App() {
  const language = useAppearance()
  const status = useLinkStatus()
  return (
    <TextsProvider language={language}>
      <Tooltip.Provider delayDuration={400}>
        <Toasts>{status === 'refused' ? <RefusedPage /> : <Frame />}</Toasts>
      </Tooltip.Provider>
    </TextsProvider>
  )
}

function Frame() {
  const route = useRoute()
  const [paletteOpen, setPaletteOpen] = useState(false)
  const earn = useStream('earn.state', {}).value
  const pause = useCall('earn.pause')
  const resume = useCall('earn.resume')
  // Back in Chat, the chat of before is on the screen again.
  const [lastChat, setLastChat] = useState<string>()
  if (route.screen === 'chat' && route.part !== lastChat) setLastChat(route.part)
  const toScreen = (screen: ScreenName) => (): undefined => go(screen, screen === 'chat' ? lastChat : undefined) as undefined

  useKeys({
    'Mod+K': () => setPaletteOpen((open) => !open) as undefined,
    'Mod+N': () => go('chat') as undefined,
    'Mod+,': toScreen('settings'),
    ...Object.fromEntries(screens.map((screen, index) => [`Mod+${index + 1}`, toScreen(screen)])),
    'Mod+Shift+P': () => void (earn?.status === 'paused' && !earn.pause ? resume : pause).run({}) as undefined,
    F6: () => moveRegion(1) as undefined,
    'Shift+F6': () => moveRegion(-1) as undefined,
  })

  return (
    <div className="flex h-full flex-col">
      <TitleBar onPalette={() => setPaletteOpen(true)} />
      <ConnectionBar />
      <StartBar />
      <div className="flex min-h-0 flex-1">
        <Rail screen={route.screen} lastChat={lastChat} />
        <Suspense fallback={<main className="page" aria-busy="true" />}>
          <Screen screen={route.screen} part={route.part} />
        </Suspense>
      </div>
      <Palette open={paletteOpen} onOpenChange={setPaletteOpen} />
    </div>
  )
}

function Screen({ screen, part }: { screen: ScreenName; part: string | undefined }) {
  switch (screen) {
    case 'chat':
      return <ChatScreen id={part} />
    case 'earn':
      return <EarnScreen />
    case 'models':
      return <ModelsScreen />
    case 'wallet':
      return <WalletScreen />
    case 'network':
      return <NetworkScreen />
    case 'settings':
      return <SettingsScreen section={part} />
  }
}
