"""Meshes seen from the held-out views of a scene in Blender's layout, against the photographs on white.

    python views.py SCENE DOWNSCALE MESH...

Needs numpy, Pillow, trimesh, embreex, which casts the rays: four a pixel. Vertex colors of .ply files, textures of .glb and
.obj. Prints the PSNR of whole views and of the pixels that show the object, and writes MESH.view.png: photograph, mesh.
"""
import sys, json, numpy as np, trimesh
from PIL import Image
scene, down, meshes = sys.argv[1], int(sys.argv[2]), sys.argv[3:]
t=json.load(open(f'{scene}/transforms_test.json')); frames=t['frames']
for name in meshes:
    m=trimesh.load(name,process=False,force='mesh')
    tex = getattr(m.visual,'uv',None) is not None and getattr(m.visual,'material',None) is not None
    if tex:
        mat=m.visual.material; im=getattr(mat,'baseColorTexture',None) or getattr(mat,'image',None)
        im=np.asarray(im.convert('RGB')).astype(np.float64)/255; uv=m.visual.uv; N=im.shape[0]
    else:
        c=m.visual.vertex_colors[:,:3].astype(np.float64)/255
    psnr=[];ins=[]
    for f in frames:
        fp=f['file_path']; fp=fp if fp.endswith('.png') else fp+'.png'
        g=np.asarray(Image.open(f'{scene}/{fp}').convert('RGBA')).astype(np.float64)/255
        n0=g.shape[0]; n=n0//down
        pm=g.copy(); pm[...,:3]*=pm[...,3:]; pm=pm.reshape(n,down,n,down,4).mean((1,3))
        gt=pm[...,:3]+(1-pm[...,3:]); S=2
        M=np.array(f['transform_matrix']); N2=n*S; fl=N2/2/np.tan(t['camera_angle_x']/2)
        y,x=np.mgrid[:N2,:N2]+0.5
        v=np.stack([(x-N2/2)/fl,-(y-N2/2)/fl,-np.ones_like(x)],-1).reshape(-1,3)@M[:3,:3].T
        o=np.broadcast_to(M[:3,3],v.shape)
        tri,ray,loc=m.ray.intersects_id(o,v,multiple_hits=False,return_locations=True)
        b=trimesh.triangles.points_to_barycentric(m.triangles[tri],loc)
        out=np.ones((N2*N2,3))
        if tex:
            q=(uv[m.faces[tri]]*b[...,None]).sum(1); px=q[:,0]*N-.5; py=(1-q[:,1])*N-.5
            x0=np.floor(px).astype(int);y0=np.floor(py).astype(int);s=(px-x0)[:,None];u=(py-y0)[:,None]
            A=lambda yy,xx: im[np.clip(yy,0,N-1),np.clip(xx,0,N-1)]
            col=(A(y0,x0)*(1-s)+A(y0,x0+1)*s)*(1-u)+(A(y0+1,x0)*(1-s)+A(y0+1,x0+1)*s)*u
        else: col=(c[m.faces[tri]]*b[...,None]).sum(1)
        out[ray]=col; out=out.reshape(n,S,n,S,3).mean((1,3))
        e=((out-gt)**2); psnr.append(-10*np.log10(e.mean())); k=pm[...,3]>.5; ins.append(-10*np.log10(e[k].mean()))
        if f is frames[0]: Image.fromarray((np.concatenate([gt,out],1)*255).round().astype(np.uint8)).save(name+'.view.png')
    print(name,'faces',len(m.faces),'texture' if tex else 'vertex','PSNR %.2f inside %.2f'%(np.mean(psnr),np.mean(ins)))
