"""DC-AE: 256 px -> 8 x 8 x 64 latents, trained on scenes of every kind."""

import random

import torch
import torch.nn.functional as F

import nets
from muon import Muon
from run import Averaged, Run


def loss_fn(y, x):
    """L1 at three scales, L1 of the gradients, and a little squared error."""
    total = F.l1_loss(y, x) + 2.0 * F.mse_loss(y, x)
    for d in (2, 3):
        total = total + 0.8 * F.l1_loss(y.diff(dim=d), x.diff(dim=d))
    for k in (2, 4):
        total = total + 0.5 * F.l1_loss(F.avg_pool2d(y, k), F.avg_pool2d(x, k))
    return total


def psnr(y, x):
    """Per picture, of values in -1..1."""
    return -10 * torch.log10(((y.clamp(-1, 1) - x) / 2).square().mean((1, 2, 3)).clamp(min=1e-10))


def train(run: Run):
    if not run.gpu:
        nets.fast_norms()
    p = run.preset
    vae = nets.autoencoder().to(run.device, memory_format=torch.channels_last)
    stage = run.stage("ae", [("scenes", p["ae_batch"])])
    saved = stage.load("ae.pt")
    if saved:
        vae.load_state_dict({k: v.float() for k, v in saved["model"].items()})
    run.share(vae)
    if stage.done:
        stage.feed.close()
        return
    wrap = (lambda f: f) if p.get("ae_plain") else run.compiled
    encoder, decoder = wrap(vae.encoder), wrap(vae.decoder)
    opt, ema, mean = Muon(vae, p["ae_lr"], 2e-3, run.rank, run.ranks, smallest=8), Averaged(vae, .998 if run.gpu else .99), None

    def save():
        vae.eval()
        with torch.no_grad():
            test = [nets.to_input(run.composer.paint(run.maker.scenes(random.Random(10 ** 6 + i), 16)["plan"])) for i in range(p["ae_test"])]
            live = {k: v.clone() for k, v in vae.state_dict().items()}
            vae.load_state_dict(ema.weights)
            z = torch.cat([vae.encoder(x) for x in test])
            score = torch.cat([psnr(vae.decoder(c), x) for c, x in zip(z.split(16), test)])
            vae.load_state_dict(live)
        vae.train()
        scaling = float(1 / (z - z.mean()).square().mean().sqrt())
        stage.save("ae.pt", dict(model=ema.cpu(), scaling=scaling))
        stage.say(psnr=float(score.mean()), worst=float(score.min()), scaling=scaling)

    for f, _, batch in stage:
        x = nets.to_input(run.composer.paint(batch["plan"]))
        if crop := p.get("ae_crop"):  # two parts of each: less work for a small machine; all layers are local or linear attention
            rng = random.Random(stage.feed.next)
            at = [(32 * rng.randint(0, (nets.SIDE - crop) // 32), 32 * rng.randint(0, (nets.SIDE - crop) // 32)) for _ in range(2)]
            x = torch.cat([x[:, :, i:i + crop, j:j + crop] for i, j in at])
        x = x.contiguous(memory_format=torch.channels_last)
        with run.autocast():
            z = encoder(x).float()
            size = z.square().mean().sqrt()  # held near one; it grows without end otherwise
            if f > .1:  # the decoder must stand the diffusion model's small errors
                z = z + torch.randn_like(z) * z.detach().std() * .1 * torch.rand(len(z), 1, 1, 1, device=z.device)
            y = decoder(z).float()
        loss = loss_fn(y, x)
        (loss + .05 * size.log().square()).backward()
        run.average(vae)
        torch.nn.utils.clip_grad_norm_(vae.parameters(), 1.0, error_if_nonfinite=True)
        opt.step(nets.warm_cosine(f))
        vae.zero_grad(set_to_none=True)
        ema.update()
        stage.seen(len(x))
        mean = loss.detach() if mean is None else mean.lerp(loss.detach(), .02)
        if stage.due():
            stage.say(loss=mean.item(), latent=size.item())
        if stage.due("saved", 240):
            save()
    save()
